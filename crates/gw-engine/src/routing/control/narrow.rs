//! Trees made narrower: some targets left out, some put first. Conditions of a route stay what they are.

use gw_policy::balance::Balance;
use gw_policy::failure::Failures;
use gw_policy::measure::Preference;
use gw_policy::plan::{Group, Node, Strategy};

/// The tree without the targets that are not kept; `None` if none is.
pub(super) fn keep<T: Clone>(node: &Node<T>, keeps: &mut impl FnMut(&T) -> bool) -> Option<Node<T>> {
    node.filter_map(&mut |target| keeps(target).then(|| Node::Target(target.clone())))
}

/// Targets put first in this order, by what says whether a target is meant; the others behind them, if they stay.
pub(super) fn order<T: Clone, W>(
    node: &Node<T>,
    wanted: &[W],
    is_meant: impl Fn(&W, &T) -> bool,
    others_stay: bool,
    fallback: &Failures,
) -> Option<Node<T>> {
    let mut parts: Vec<Node<T>> =
        wanted.iter().filter_map(|one| keep(node, &mut |target| is_meant(one, target))).collect();
    if others_stay {
        parts.extend(keep(node, &mut |target| !wanted.iter().any(|one| is_meant(one, target))));
    }
    Node::in_order(parts, fallback)
}

/// The tree of which nothing but the first choice is tried.
pub(super) fn first_only<T>(node: &mut Node<T>) {
    if let Node::Group(group) = node {
        group.fallback = Failures::NONE;
        group.members.iter_mut().for_each(|member| first_only(&mut member.node));
    }
}

/// The tree whose members are ordered so, where no condition and no place orders them.
pub(super) fn sort<T>(node: &mut Node<T>, balance: Balance, price: &impl Fn(&T) -> Option<i64>) {
    let Node::Group(group) = node else { return };
    group.members.iter_mut().for_each(|member| sort(&mut member.node, balance, price));
    if group.is_bound() || matches!(group.strategy, Strategy::Auto(_)) {
        return;
    }
    if balance != Balance::LeastCost {
        group.strategy = Strategy::Balance(balance);
        return;
    }
    // Prices do not change from one request to the next. What is not known comes last.
    group.members.sort_by_key(|member| cheapest(&member.node, price).unwrap_or(i64::MAX));
    group.strategy = Strategy::Balance(Balance::Priority);
}

fn cheapest<T>(node: &Node<T>, price: &impl Fn(&T) -> Option<i64>) -> Option<i64> {
    match node {
        Node::Target(target) => price(target),
        Node::Group(group) => group.members.iter().filter_map(|member| cheapest(&member.node, price)).min(),
    }
}

/// All targets in one group, where no condition and no place chooses between them.
pub(super) fn flat<T: Clone>(node: Node<T>, fallback: &Failures) -> Node<T> {
    if is_bound(&node) {
        return node;
    }
    let targets = node.targets().into_iter().cloned().map(Node::Target);
    Node::in_order(targets.collect(), fallback).unwrap_or(node)
}

/// Whether a condition or a place chooses somewhere in the tree.
pub(super) fn is_bound<T>(node: &Node<T>) -> bool {
    let Node::Group(group) = node else { return false };
    group.is_bound()
        || matches!(group.strategy, Strategy::Auto(_))
        || group.members.iter().any(|member| is_bound(&member.node))
}

/// The tree in which those that are slower than this come last in their groups, where no condition and no place orders
/// them.
pub(super) fn prefer<T>(node: &mut Node<T>, preference: &Preference) {
    if let Node::Group(group) = node
        && !preference.is_empty()
    {
        group.members.iter_mut().for_each(|member| prefer(&mut member.node, preference));
        prefer_in(group, preference);
    }
}

/// The same in one group, and not below.
pub(super) fn prefer_in<T>(group: &mut Group<T>, preference: &Preference) {
    if let Strategy::Balance(balance) = group.strategy
        && !preference.is_empty()
    {
        group.strategy = Strategy::Preferring(balance, preference.clone());
    }
}

#[cfg(test)]
mod tests {
    use gw_policy::plan::Member;

    use super::*;

    fn leaf(name: &'static str) -> Node<&'static str> {
        Node::Target(name)
    }

    fn tree(strategy: Strategy, nodes: Vec<Node<&'static str>>) -> Node<&'static str> {
        let members = nodes.into_iter().map(|node| Member { node, weight: 1.0 }).collect();
        Node::Group(Group { id: 0, strategy, members, fallback: Failures::ELSEWHERE })
    }

    fn names(node: Option<Node<&'static str>>) -> String {
        node.map_or_else(
            || "nobody".to_owned(),
            |node| node.targets().iter().map(|name| **name).collect::<Vec<_>>().join(" "),
        )
    }

    fn three() -> Node<&'static str> {
        tree(Strategy::Balance(Balance::Weighted), vec![leaf("openai"), leaf("azure"), leaf("groq")])
    }

    #[test]
    fn an_order_promotes_and_the_others_follow_unless_they_may_not() {
        let is_meant = |wanted: &&str, target: &&str| wanted == target;
        let ordered = |wanted: &[&str], stay| names(order(&three(), wanted, is_meant, stay, &Failures::ELSEWHERE));
        assert_eq!(ordered(&["groq", "openai"], true), "groq openai azure");
        assert_eq!(ordered(&["groq", "unknown"], false), "groq");
        assert_eq!(ordered(&["unknown"], true), "openai azure groq");
        assert_eq!(ordered(&["unknown"], false), "nobody");
    }

    #[test]
    fn what_a_condition_leads_to_is_not_replaced_by_another_member() {
        let conditional = tree(Strategy::Conditional(Vec::new(), Some(0)), vec![leaf("eu"), leaf("us")]);
        let Some(Node::Group(group)) = keep(&conditional, &mut |name| *name == "us") else { panic!("kept") };
        assert_eq!(group.members.len(), 2, "the positions that conditions name stay");
        assert!(group.members[0].node.targets().is_empty());
        let single = tree(Strategy::Single, vec![leaf("eu"), leaf("us")]);
        let Some(Node::Group(group)) = keep(&single, &mut |name| *name == "us") else { panic!("kept") };
        assert!(group.members[0].node.targets().is_empty(), "the second does not become the first");
    }

    #[test]
    fn by_price_the_cheapest_comes_first_and_the_unknown_last() {
        let mut node = three();
        let price = |name: &&str| match *name {
            "groq" => Some(1),
            "openai" => Some(5),
            _ => None,
        };
        sort(&mut node, Balance::LeastCost, &price);
        assert_eq!(names(Some(node)), "groq openai azure");
    }
}
