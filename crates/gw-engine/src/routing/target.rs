//! A target of the snapshot: a provider, the model's name there, and what is changed for it.

use std::sync::Arc;
use std::time::Duration;

use gw_core::Error;
use gw_core::chat::BuiltInTool;
use gw_policy::auto::Tier;
use gw_policy::failure::{Failure, Failures, Sign};
use gw_policy::plan::{Group, Member, Node};
use gw_policy::retry::Retry;
use gw_providers::parameters::Parameters;
use serde_json::{Map, Value};

use crate::routing::standing::{Attending, Rules, Standing};
use crate::snapshot::{Credential, Provider};

/// Which provider a request goes to, and under which model name.
#[derive(Clone)]
pub struct Choice {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The model's name there.
    pub model: Arc<str>,
    /// Whether the request or the configuration named the provider, rather than the model's name alone finding it.
    pub provider_named: bool,
}

impl Choice {
    /// Whether the provider is asked with the caller's own key, if it is asked at all: one that has no credential is asked
    /// with no other.
    pub(crate) fn uses_callers_key(&self) -> bool {
        self.provider.is_callers() || self.provider.credential == Credential::Missing
    }
}

/// A target of a request.
#[derive(Clone)]
pub struct Target {
    /// Who is asked for which model.
    pub choice: Choice,
    /// What is particular to this target.
    pub settings: Arc<TargetSettings>,
}

/// What is particular to a target.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TargetSettings {
    /// Members that are written over the request's.
    pub override_params: Map<String, Value>,
    /// How it is tried again; as its provider says if `None`.
    pub retry: Option<Retry>,
    /// How long it may take until its answer begins; as its provider says if `None`.
    pub first_byte_timeout: Option<Duration>,
    /// Where it, or the key that it is asked with, stands in the routing that a request brought. As Portkey counts:
    /// `config.targets[0]`.
    pub option: Option<Arc<str>>,
    /// Members that requests get which do not say them.
    pub default_params: Map<String, Value>,
    /// The route and the version of it that it is a target of, where there are several: `support@2`.
    pub route: Option<Arc<str>>,
    /// Whether it stands in with another model than the one that was asked for.
    pub stands_in: bool,
    /// How able its model is; as the catalogue says if `None`.
    pub tier: Option<Tier>,
    /// When it is left out, besides when its provider is.
    pub breaker: Option<Arc<TargetBreaker>>,
    /// The search of the web that it is asked for besides what the request says.
    pub search: Option<Arc<BuiltInTool>>,
    /// Whether it is of interest if the calls of tools in its answers can be followed.
    pub judged: bool,
}

/// A breaker of a target's own: what it shows says nothing of its provider elsewhere.
#[derive(Debug)]
pub struct TargetBreaker {
    /// How the target stands. All workers and snapshots share it.
    pub standing: Arc<Standing>,
    /// When it is left out.
    pub rules: Rules,
    /// What counts as a failure.
    pub failures: Failures,
}

impl PartialEq for TargetBreaker {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.standing, &other.standing) && self.rules == other.rules && self.failures == other.failures
    }
}

impl TargetBreaker {
    /// A call at the target begins.
    pub(crate) fn attend(&self, now: Duration) -> AttendedTarget<'_> {
        AttendedTarget { breaker: self, call: self.standing.attend(&self.rules, now).ok() }
    }
}

/// A call at a target that has a breaker of its own. If its end is not told, it says nothing about the target.
pub(crate) struct AttendedTarget<'a> {
    breaker: &'a TargetBreaker,
    /// Never `None`, since a breaker of a target has no cap.
    call: Option<Attending<'a>>,
}

impl AttendedTarget<'_> {
    /// It has ended: with an answer, or in this way.
    pub(crate) fn ended(self, error: Option<&Error>, now: Duration) {
        let Some(call) = self.call else { return };
        match error.map(Failure::from) {
            None => drop(call.answered(now)),
            Some(failure) if self.breaker.failures.contains(&failure) => call.failed(None, now),
            Some(failure) if failure.sign() == Sign::Alive => call.refused(now),
            Some(_) => {}
        }
    }
}

impl TargetSettings {
    /// What is written over the members of requests, or where they say nothing, in the provider's own words. An object is written into the request's
    /// own, member by member.
    pub(crate) fn overrides(&self) -> Option<Parameters> {
        let mut parameters = Parameters::default();
        set_all(&mut parameters, "", &self.default_params, Parameters::set_default);
        set_all(&mut parameters, "", &self.override_params, Parameters::set_fixed);
        (!parameters.is_empty()).then_some(parameters)
    }
}

fn set_all(
    parameters: &mut Parameters,
    outer: &str,
    members: &Map<String, Value>,
    set: fn(&mut Parameters, &str, &str),
) {
    for (name, value) in members {
        let name = if outer.is_empty() { name.clone() } else { format!("{outer}.{name}") };
        match value {
            Value::Object(inner) if !inner.is_empty() => set_all(parameters, &name, inner, set),
            value => set(parameters, &name, &value.to_string()),
        }
    }
}

/// Makes a tree of each leaf of a tree. A member that cannot be is left out, or empty where its place says what it is for;
/// if none of a group can, the first mistake counts.
pub(crate) fn expand<T, U, E>(node: &Node<T>, leaf: &mut impl FnMut(&T) -> Result<Node<U>, E>) -> Result<Node<U>, E> {
    let group = match node {
        Node::Target(target) => return leaf(target),
        Node::Group(group) => group,
    };
    let (mut mistake, mut is_empty) = (None, true);
    let mut members = Vec::with_capacity(group.members.len());
    for member in &group.members {
        match expand(&member.node, leaf) {
            Ok(node) => {
                is_empty = false;
                members.push(Member { node, weight: member.weight });
            }
            Err(error) => {
                mistake.get_or_insert(error);
                if group.is_bound() {
                    members.push(Member { node: Node::nobody(), weight: member.weight });
                }
            }
        }
    }
    match (is_empty, mistake) {
        (true, Some(mistake)) => Err(mistake),
        _ => Ok(Node::Group(Group {
            id: group.id,
            strategy: group.strategy.clone(),
            members,
            fallback: group.fallback.clone(),
        })),
    }
}

/// Numbers the groups of a tree, so that their turns can be counted; returns how many there are.
pub(crate) fn number<T>(node: &mut Node<T>, next: usize) -> usize {
    let Node::Group(group) = node else { return next };
    group.id = next;
    group.members.iter_mut().fold(next + 1, |next, member| number(&mut member.node, next))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_a_target_overrides_is_written_over_the_request_and_into_its_objects() {
        let written = serde_json::json!({"temperature": 0, "stop": null, "generationConfig": {"seed": 7}});
        let Value::Object(override_params) = written else { panic!("an object") };
        let overrides = TargetSettings { override_params, ..TargetSettings::default() }.overrides().unwrap();
        let asked = r#"{"temperature":1,"generationConfig":{"seed":1,"topK":3},"messages":[ ],"temperature":2}"#;
        let (body, dropped) = overrides.apply(Bytes::from(asked)).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let wanted = serde_json::json!({
            "temperature": 0, "stop": null, "generationConfig": {"seed": 7, "topK": 3}, "messages": []
        });
        assert_eq!((body, dropped.len()), (wanted, 0));
        assert!(TargetSettings::default().overrides().is_none());
    }
}
