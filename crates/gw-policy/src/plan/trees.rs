//! Trees made of trees.

use super::{Group, Member, Node, Strategy};
use crate::balance::Balance;
use crate::failure::Failures;

impl<T> Node<T> {
    /// The same tree with another in the place of each target, without those that have none; `None` if none has.
    ///
    /// Where a condition, a limit or its place chooses a member, no other takes its place: it is left there, empty.
    pub fn filter_map<U>(&self, each: &mut impl FnMut(&T) -> Option<Node<U>>) -> Option<Node<U>> {
        let group = match self {
            Self::Target(target) => return each(target),
            Self::Group(group) => group,
        };
        let is_bound = group.is_bound();
        let mut is_empty = true;
        let members = group.members.iter().filter_map(|member| {
            let kept = member.node.filter_map(each);
            is_empty &= kept.is_none();
            let node = kept.or_else(|| is_bound.then(Node::nobody))?;
            Some(Member { node, weight: member.weight })
        });
        let members = members.collect();
        let (strategy, fallback) = (group.strategy.clone(), group.fallback.clone());
        (!is_empty).then_some(Node::Group(Group { id: group.id, strategy, members, fallback }))
    }

    /// Several trees, each tried after these failures of the one before; `None` if there is none.
    pub fn in_order(mut nodes: Vec<Self>, fallback: &Failures) -> Option<Self> {
        if nodes.len() < 2 {
            return nodes.pop();
        }
        let members = nodes.into_iter().map(|node| Member { node, weight: 1.0 }).collect();
        let strategy = Strategy::Balance(Balance::Priority);
        Some(Self::Group(Group { id: 0, strategy, members, fallback: fallback.clone() }))
    }

    /// Whether limits stand in it.
    pub fn has_limits(&self) -> bool {
        let Self::Group(group) = self else { return false };
        matches!(group.strategy, Strategy::Limited(_)) || group.members.iter().any(|member| member.node.has_limits())
    }

    /// Whether conditions choose somewhere in the tree.
    pub fn has_conditions(&self) -> bool {
        let Self::Group(group) = self else { return false };
        matches!(group.strategy, Strategy::Conditional(..))
            || group.members.iter().any(|member| member.node.has_conditions())
    }

    /// A tree without targets.
    pub fn nobody() -> Self {
        let strategy = Strategy::Balance(Balance::Priority);
        Self::Group(Group { id: 0, strategy, members: Vec::new(), fallback: Failures::NONE })
    }
}
