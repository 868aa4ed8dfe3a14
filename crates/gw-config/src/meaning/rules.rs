//! `routing.rules` as meant: which requests go to which providers, to another model, or nowhere.

use gw_policy::condition::{Comparison, Query, Test};
use serde_json::Value;

use super::Meaning;
use crate::config::{Denial, Rule, Spanned};
use crate::expression::ExpressionText;
use crate::file::{self, RuleAction, TagsMatch};
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
        let name = written.name.given()?;
        let providers = written.providers.given();
        let denies = written.action.value().is_some_and(|RuleAction::Deny| true);
        self.check_what_is_done(written, name, denies);
        Some(Rule {
            name: name.clone(),
            condition: self.rule_condition(written.condition.given()?)?,
            providers: providers.map(|given| given.value.iter().map(named).collect()).unwrap_or_default(),
            model: written.model.given().map(super::routes::spanned),
            denial: denies.then(|| Denial { message: written.message.value().cloned() }),
            log_only: written.log_only.value().copied().unwrap_or(false),
        })
    }

    fn check_what_is_done(&mut self, written: &file::Rule, name: &Spanned<String>, denies: bool) {
        let providers = written.providers.given();
        if let Some(empty) = providers.filter(|providers| providers.value.is_empty()) {
            self.mistake(&empty.place, "a rule names no provider".to_owned(), "add one");
        }
        let leads = [providers.map(|given| &given.place), written.model.given().map(|given| &given.place)];
        if let (Some(place), true) = (leads.into_iter().flatten().next(), denies) {
            let message = "a rule denies requests, and leads them somewhere besides".to_owned();
            self.mistake(place, message, "keep one of them");
        }
        if let (Some(message), false) = (written.message.given(), denies) {
            let what = "\"message\" is what is said of a denial, and this rule denies nothing".to_owned();
            self.mistake(&message.place, what, "add \"action: deny\", or remove it");
        }
        if written.providers.is_absent() && written.model.is_absent() && written.action.is_absent() {
            let message = format!("rule {} does nothing", self.show(&name.value, &name.place));
            self.mistake(&name.place, message, "add \"providers\", \"model\" or \"action: deny\"");
        }
    }

    fn rule_condition(&mut self, given: &Spanned<file::RuleCondition>) -> Option<Query> {
        let condition = self.condition(&given.value)?;
        let file::RuleCondition { tags, tags_match, batch_size, query, expression } = &given.value;
        // What is wrong with these is told already.
        let is_told = tags.is_broken() || !tags_match.is_absent() || !batch_size.is_absent();
        if condition.is_empty() && !is_told && !query.is_broken() && !expression.is_broken() {
            let message = "a condition says nothing of the requests".to_owned();
            self.mistake(&given.place, message, "add \"tags\", \"batch_size\", \"query\" or \"expression\"");
        }
        Some(condition)
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
        all.extend(written.expression.value().map(ExpressionText::query));
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
