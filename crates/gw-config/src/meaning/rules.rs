//! `routing.rules` as meant: which requests go to which providers.

use gw_policy::condition::{Comparison, Query, Test};
use serde_json::Value;

use super::Meaning;
use crate::config::{Rule, Spanned};
use crate::file::{self, TagsMatch};
use crate::names::ProviderName;

impl Meaning<'_> {
    /// The rules, in the order of the file.
    pub(super) fn rules(&mut self, written: &file::Routing) -> Vec<Rule> {
        let written = written.rules.value().into_iter().flatten();
        let rules: Vec<Rule> = written.filter_map(|rule| self.rule(&rule.value)).collect();
        self.refuse_twins("rule", rules.iter().map(|rule| &rule.name));
        rules
    }

    fn rule(&mut self, written: &file::Rule) -> Option<Rule> {
        let providers = written.providers.given()?;
        if providers.value.is_empty() {
            self.mistake(&providers.place, "a rule names no provider".to_owned(), "add one");
        }
        Some(Rule {
            name: written.name.given()?.clone(),
            condition: self.condition(&written.condition.given()?.value)?,
            providers: providers.value.iter().map(named).collect(),
        })
    }

    fn condition(&mut self, written: &file::RuleCondition) -> Option<Query> {
        let mut all = Vec::new();
        if let Some(tags) = written.tags.given() {
            if tags.value.is_empty() {
                self.mistake(&tags.place, "a rule lists no tag".to_owned(), "add one, or remove \"tags\"");
            }
            let tags = tags.value.iter().map(|tag| Value::from(tag.value.as_str())).collect();
            let test = match written.tags_match.value() {
                Some(TagsMatch::All) => Test::All(tags),
                Some(TagsMatch::Any) | None => Test::In(tags),
            };
            all.push(Query::Fact("tags".into(), test));
        } else if let Some(given) = written.tags_match.given() {
            let message = "\"tags_match\" refines \"tags\", and there are none".to_owned();
            self.mistake(&given.place, message, "add tags, or remove it");
        }
        if let Some(size) = written.batch_size.given() {
            match batch_size(&size.value) {
                Some(test) => all.push(Query::Fact("batch_size".into(), test)),
                None => {
                    let message = format!("batch_size is no comparison: {}", self.show(&size.value, &size.place));
                    self.mistake(&size.place, message, "write \">100\", \">=100\", \"<10\", \"<=10\" or \"==1\"");
                }
            }
        }
        all.extend(written.query.value().map(|condition| condition.0.clone()));
        Some(Query::And(all))
    }
}

/// `>100`, `==1`, `1`.
fn batch_size(text: &str) -> Option<Test> {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    if let Some((comparison, bound)) = Comparison::read(text) {
        return number(bound).map(|bound| Test::Compare(comparison, f64::from(bound)));
    }
    number(text.trim().trim_start_matches('=')).map(|number| Test::Equal(number.into()))
}

fn named(name: &Spanned<ProviderName>) -> Spanned<String> {
    Spanned { value: name.value.0.clone(), place: name.place.clone() }
}
