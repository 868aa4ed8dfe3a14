//! A target of the snapshot: a provider, the model's name there, and what is changed for it.

use std::sync::Arc;
use std::time::Duration;

use gw_policy::plan::{Group, Member, Node};
use gw_policy::retry::Retry;
use serde_json::{Map, Value};

use crate::snapshot::Provider;

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
}

/// Makes a tree of each leaf of a tree. A member that cannot be is left out; if none of a group can, the first mistake
/// counts.
pub(crate) fn expand<T, U, E>(node: &Node<T>, leaf: &mut impl FnMut(&T) -> Result<Node<U>, E>) -> Result<Node<U>, E> {
    let group = match node {
        Node::Target(target) => return leaf(target),
        Node::Group(group) => group,
    };
    let mut mistake = None;
    let mut members = Vec::with_capacity(group.members.len());
    for member in &group.members {
        match expand(&member.node, leaf) {
            Ok(node) => members.push(Member { node, weight: member.weight }),
            Err(error) => {
                mistake.get_or_insert(error);
            }
        }
    }
    match (members.is_empty(), mistake) {
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
