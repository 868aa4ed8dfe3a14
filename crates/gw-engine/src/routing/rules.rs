//! Rules that refuse requests, and rules that only show what they would do. Where a rule leads a request otherwise is part of
//! what the name of a model stands for ([`crate::models`]).

use std::collections::BTreeMap;

use gw_config::config;
use gw_core::{Error, ErrorCode};
use gw_policy::condition::{Facts, Query, Spellings};
use gw_policy::expression::Failure;
use gw_telemetry::bank::Bank;
use serde_json::{Value, json};

/// The rules of a configuration, in its order.
#[derive(Debug, Default)]
pub struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    name: Box<str>,
    condition: Query,
    does: Does,
    log_only: bool,
}

#[derive(Debug)]
enum Does {
    /// It refuses requests, with this message besides its name.
    Deny(Option<Box<str>>),
    /// It leads them to other providers.
    Route,
    /// It leads them to another model.
    Rewrite,
}

/// A request as rules judge it, for one of the models that it asks for.
pub(crate) struct Judged<'a> {
    pub(crate) facts: &'a dyn Facts,
    pub(crate) model: &'a Spellings,
}

impl Rules {
    /// The rules of a configuration; none if all of them lead requests somewhere, which is done where models are found, and
    /// cannot fail.
    pub(crate) fn new(written: &[config::Rule]) -> Self {
        let is_asked = |rule: &config::Rule| rule.denial.is_some() || rule.log_only || rule.condition.may_fail();
        if !written.iter().any(is_asked) {
            return Self::default();
        }
        let rule = |rule: &config::Rule| Rule {
            name: Box::from(rule.name.value.as_str()),
            condition: rule.condition.clone(),
            does: match (&rule.denial, &rule.model) {
                (Some(denial), _) => Does::Deny(denial.message.as_deref().map(Box::from)),
                (None, Some(_)) => Does::Rewrite,
                (None, None) => Does::Route,
            },
            log_only: rule.log_only,
        };
        Self(written.iter().map(rule).collect())
    }

    /// Whether no rule has to be asked.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets a request pass, or refuses it. What a rule refuses or only shows is counted, and that it fails.
    ///
    /// # Errors
    /// `denied_by_rule` if for one of the models that the request asks for the first rule that holds, and not only shows
    /// itself, refuses such requests.
    pub(crate) fn judge(&self, asked: &[Judged<'_>], bank: &Bank) -> Result<(), Error> {
        let found = self.of_all(asked);
        for (rule, failure) in found.values() {
            let count = |effect| bank.rule_held(&rule.name, rule.does.name(), effect);
            match &rule.does {
                _ if rule.is_too_much(failure.as_ref()) => {
                    count("failed");
                    return Err(unread(&rule.name));
                }
                _ if failure.is_some() => count("failed"),
                _ if rule.log_only => count("logged"),
                Does::Deny(message) => {
                    count("done");
                    return Err(denied(&rule.name, message.as_deref()));
                }
                Does::Route | Does::Rewrite => {}
            }
        }
        Ok(())
    }

    /// The rules that hold, and those that fail, as people are told of them. Nothing is counted.
    ///
    /// # Errors
    /// As [`Self::judge`].
    pub(crate) fn told(&self, asked: &[Judged<'_>]) -> Result<Vec<Value>, Error> {
        let mut told = Vec::new();
        for (rule, failure) in self.of_all(asked).into_values() {
            let (name, action, log_only) = (&*rule.name, rule.does.name(), rule.log_only);
            told.push(match (&rule.does, failure) {
                (_, Some(failure)) if rule.is_too_much(Some(&failure)) => return Err(unread(name)),
                (_, Some(failure)) => {
                    json!({ "name": name, "action": action, "log_only": log_only, "failed": failure.why() })
                }
                (Does::Deny(message), None) if !log_only => return Err(denied(name, message.as_deref())),
                (Does::Deny(_) | Does::Route | Does::Rewrite, None) => {
                    json!({ "name": name, "action": action, "log_only": log_only })
                }
            });
        }
        Ok(told)
    }

    /// Each rule that holds or fails for one of the models that a request asks for, by its number. That it holds for one
    /// counts before that it fails for another.
    fn of_all<'a>(&'a self, asked: &'a [Judged<'a>]) -> BTreeMap<usize, (&'a Rule, Option<Failure>)> {
        let mut found = BTreeMap::new();
        for one in asked {
            for (index, rule, failure) in self.holding(one) {
                if failure.is_none() || !found.contains_key(&index) {
                    found.insert(index, (rule, failure));
                }
            }
        }
        found
    }

    /// Up to the first that holds and is not only to show itself: no later one counts. Those that fail do not hold, and
    /// come with why; but a denial that a request is too large for holds, or whoever sends enough would not be denied.
    fn holding<'a>(&'a self, asked: &'a Judged<'a>) -> impl Iterator<Item = (usize, &'a Rule, Option<Failure>)> {
        let mut is_over = false;
        let judged = self.0.iter().enumerate().map_while(move |(index, rule)| {
            if is_over {
                return None;
            }
            let found = asked.model.evaluate(&rule.condition, asked.facts);
            is_over = found == Ok(true) && !rule.log_only || rule.is_too_much(found.as_ref().err());
            Some((index, rule, found))
        });
        judged.filter_map(|(index, rule, found)| match found {
            Ok(holds) => holds.then_some((index, rule, None)),
            Err(failure) => Some((index, rule, Some(failure))),
        })
    }
}

impl Rule {
    /// Whether it refuses requests, and this one is too large to be looked at.
    fn is_too_much(&self, failure: Option<&Failure>) -> bool {
        !self.log_only && matches!((&self.does, failure), (Does::Deny(_), Some(Failure::TooMuch(_))))
    }
}

impl Does {
    const fn name(&self) -> &'static str {
        match self {
            Self::Deny(_) => "deny",
            Self::Route => "route",
            Self::Rewrite => "rewrite",
        }
    }
}

fn unread(name: &str) -> Error {
    let message =
        format!("the rule \"{name}\" may deny this request, which is too large for it to be looked at; send less");
    Error::new(ErrorCode::DeniedByRule, message)
}

fn denied(name: &str, message: Option<&str>) -> Error {
    let said = message.map_or_else(String::new, |message| format!(": {message}"));
    Error::new(ErrorCode::DeniedByRule, format!("the rule \"{name}\" denies this request{said}"))
}
