//! Rules that refuse requests, and rules that only show what they would do. Where a rule leads a request otherwise is part of
//! what the name of a model stands for ([`crate::models`]).

use gw_config::config;
use gw_core::{Error, ErrorCode};
use gw_policy::condition::{Facts, Query};
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
    /// `denied_by_rule` if the first rule that holds, and not only shows itself, refuses such requests.
    pub(crate) fn judge(&self, facts: &dyn Facts, bank: &Bank) -> Result<(), Error> {
        for (rule, failure) in self.holding(facts) {
            match &rule.does {
                _ if failure.is_some() => bank.rule_held(&rule.name, rule.does.name(), "failed"),
                _ if rule.log_only => bank.rule_held(&rule.name, rule.does.name(), "logged"),
                Does::Deny(message) => {
                    bank.rule_held(&rule.name, rule.does.name(), "done");
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
    pub(crate) fn told(&self, facts: &dyn Facts) -> Result<Vec<Value>, Error> {
        let mut told = Vec::new();
        for (rule, failure) in self.holding(facts) {
            let (name, action, log_only) = (&*rule.name, rule.does.name(), rule.log_only);
            told.push(match (&rule.does, failure) {
                (_, Some(Failure(why))) => {
                    json!({ "name": name, "action": action, "log_only": log_only, "failed": why })
                }
                (Does::Deny(message), None) if !log_only => return Err(denied(name, message.as_deref())),
                (Does::Deny(_) | Does::Route | Does::Rewrite, None) => {
                    json!({ "name": name, "action": action, "log_only": log_only })
                }
            });
        }
        Ok(told)
    }

    /// Up to the first that holds and is not only to show itself: no later one counts. Those that fail do not hold, and
    /// come with why.
    fn holding<'a>(&'a self, facts: &'a dyn Facts) -> impl Iterator<Item = (&'a Rule, Option<Failure>)> {
        let mut is_over = false;
        self.0
            .iter()
            .map_while(move |rule| {
                if is_over {
                    return None;
                }
                let found = rule.condition.evaluate(facts);
                is_over = found == Ok(true) && !rule.log_only;
                Some((rule, found))
            })
            .filter_map(|(rule, found)| match found {
                Ok(holds) => holds.then_some((rule, None)),
                Err(failure) => Some((rule, Some(failure))),
            })
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

fn denied(name: &str, message: Option<&str>) -> Error {
    let said = message.map_or_else(String::new, |message| format!(": {message}"));
    Error::new(ErrorCode::DeniedByRule, format!("the rule \"{name}\" denies this request{said}"))
}
