//! Trees made narrower: some targets left out, some put first. Conditions of a route stay what they are.

use gw_policy::balance::Balance;
use gw_policy::failure::Failures;
use gw_policy::plan::{Group, Member, Node, Strategy};

/// The tree without the targets that are not kept; `None` if none is.
pub(super) fn keep<T: Clone>(node: &Node<T>, keeps: &mut impl FnMut(&T) -> bool) -> Option<Node<T>> {
    let group = match node {
        Node::Target(target) => return keeps(target).then(|| node.clone()),
        Node::Group(group) => group,
    };
    // Where a condition or its place chooses a member, no other takes its place: it is left there, empty.
    let is_bound = matches!(group.strategy, Strategy::Conditional(..) | Strategy::Single);
    let mut is_empty = true;
    let members = group.members.iter().filter_map(|member| {
        let kept = keep(&member.node, keeps);
        is_empty &= kept.is_none();
        let node = kept.or_else(|| is_bound.then(nobody))?;
        Some(Member { node, weight: member.weight })
    });
    let members = members.collect();
    (!is_empty).then(|| Node::Group(Group { members, strategy: group.strategy.clone(), ..bare(group) }))
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
    in_order(parts, fallback)
}

/// Several trees, each tried after the one before.
pub(super) fn in_order<T>(mut nodes: Vec<Node<T>>, fallback: &Failures) -> Option<Node<T>> {
    if nodes.len() < 2 {
        return nodes.pop();
    }
    let members = nodes.into_iter().map(|node| Member { node, weight: 1.0 }).collect();
    let strategy = Strategy::Balance(Balance::Priority);
    Some(Node::Group(Group { id: 0, strategy, members, fallback: fallback.clone() }))
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
    if matches!(group.strategy, Strategy::Conditional(..) | Strategy::Single) {
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

fn nobody<T>() -> Node<T> {
    Node::Group(Group {
        id: 0,
        strategy: Strategy::Balance(Balance::Priority),
        members: Vec::new(),
        fallback: Failures::NONE,
    })
}

fn bare<T>(group: &Group<T>) -> Group<T> {
    Group { id: group.id, strategy: Strategy::Single, members: Vec::new(), fallback: group.fallback.clone() }
}

#[cfg(test)]
mod tests {
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
