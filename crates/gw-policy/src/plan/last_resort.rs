//! The last resort: of the targets that are left alone because they fail, the one that is back soonest is asked once when
//! all others have failed. One is enough to find out, and spares the others a knock from every request.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::lay::Laid;
use super::{Exit, Group, LeftOut, Node, Passed, Plan, Reason, Standing, Step, Strategy, View};

/// What is left of a tree in which everybody rests.
pub(super) fn of_those_that_rest<T: Clone>(tree: Laid<T>, left_out: &mut Vec<LeftOut<T>>) -> Laid<T> {
    match tree {
        Laid::Step(..) => tree,
        // Only the first is ever asked.
        Laid::Members(members, on) if on.is_empty() => {
            let mut members = members.into_iter();
            let first = members.next().map(|first| of_those_that_rest(first, left_out));
            Laid::Members(first.into_iter().chain(members).collect(), on)
        }
        Laid::Members(members, on) => {
            let is_choice = members.len() > 1;
            let soonest = (0..members.len()).min_by_key(|index| members.get(*index).map(back_in));
            let mut kept = Vec::with_capacity(1);
            for (index, member) in members.into_iter().enumerate() {
                if Some(index) == soonest {
                    kept.push(of_those_that_rest(member, left_out));
                } else {
                    member.leave_out(None, left_out);
                }
            }
            let mut rest = Laid::Members(kept, on);
            if let Some(first) = rest.first_mut().filter(|_| is_choice) {
                first.why = Reason::LastResort;
            }
            rest
        }
    }
}

/// Ends a plan with the last resort, if failures lead from any of its steps to a target that rests.
pub(super) fn add<T: Clone>(tree: &Node<T>, view: &dyn View<T>, plan: &mut Plan<T>) {
    let mut resting: Vec<(Duration, &LeftOut<T>)> = plan.left_out.iter().filter_map(rest).collect();
    if resting.is_empty() || plan.steps.iter().any(|step| step.why == Reason::LastResort) {
        return;
    }
    resting.sort_by_key(|(rest, _)| *rest);
    let exit_of = |step: &Step<T>, left: &LeftOut<T>| {
        let on = &meeting(tree, &step.path, &left.path)?.fallback;
        (!on.is_empty()).then(|| Exit { on: on.clone(), to: plan.steps.len() })
    };
    let found = resting.into_iter().find_map(|(_, left)| {
        let exits: Vec<_> = plan.steps.iter().map(|step| exit_of(step, left)).collect();
        let limits = limits(tree, view, &left.path)?;
        exits.iter().any(Option::is_some).then_some((left, exits, limits))
    });
    let Some((left, exits, limits)) = found else { return };
    let (target, path) = (left.target.clone(), left.path.clone());
    for (step, exit) in plan.steps.iter_mut().zip(exits) {
        // What is nearer counts before it.
        step.exits.insert_many(0, exit);
    }
    plan.steps.push(Step { target, path, why: Reason::LastResort, limits, exits: SmallVec::new() });
}

/// The limits on the way to a place in a tree; `None` if one has no room.
fn limits<T>(tree: &Node<T>, view: &dyn View<T>, path: &[u16]) -> Option<SmallVec<[Passed; 1]>> {
    let (mut node, mut limits) = (tree, SmallVec::new());
    for (depth, place) in path.iter().enumerate() {
        let Node::Group(group) = node else { break };
        if let (Strategy::Limited(limit), 0) = (&group.strategy, *place) {
            let key = limit.limit.key_of(view.facts());
            if !view.wait(limit, &key).is_zero() {
                return None;
            }
            limits.insert(0, Passed { limit: Arc::clone(limit), key, depth });
        }
        node = &group.members.get(usize::from(*place))?.node;
    }
    Some(limits)
}

fn rest<T>(left: &LeftOut<T>) -> Option<(Duration, &LeftOut<T>)> {
    match left.standing {
        Standing::Resting(rest) => Some((rest, left)),
        Standing::In | Standing::Full(_) | Standing::Out(_) | Standing::Unable(_) => None,
    }
}

/// How long it is until the first target of it that would be asked is back.
fn back_in<T>(tree: &Laid<T>) -> Duration {
    match tree {
        Laid::Step(_, Standing::Resting(rest)) => *rest,
        Laid::Step(..) => Duration::ZERO,
        Laid::Members(members, on) => {
            let asked = if on.is_empty() { 1 } else { members.len() };
            members.iter().take(asked).map(back_in).min().unwrap_or_default()
        }
    }
}

/// The innermost group that two places are both in.
fn meeting<'a, T>(tree: &'a Node<T>, one: &[u16], other: &[u16]) -> Option<&'a Group<T>> {
    let Node::Group(group) = tree else { return None };
    match (one, other) {
        ([first, one @ ..], [second, other @ ..]) if first == second => {
            let member = group.members.get(usize::from(*first))?;
            meeting(&member.node, one, other).or(Some(group))
        }
        _ => Some(group),
    }
}
