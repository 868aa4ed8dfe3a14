//! A tree laid for one request: who does not take calls is left out, the others are brought into their order.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::{Exit, Group, LeftOut, Member, NoMatch, Node, Passed, Plan, Reason, Standing, Step, Strategy, View};
use crate::balance::{Balance, Candidate, Order};
use crate::condition::Query;
use crate::dice::Dice;
use crate::failure::Failures;
use crate::limit;
use crate::measure::{Measured, Preference};

/// Why a member of weight 0 is left out.
const DRAINED: Standing = Standing::Out("its weight is 0");
/// Why a member is left out whose limit has no room.
const LIMITED: Standing = Standing::Out("the limit before it is used");

/// Lays a tree; `None` if nobody in it takes the request. Who is left out stands in the plan.
pub(super) fn lay<T: Clone>(
    node: &Node<T>,
    view: &dyn View<T>,
    dice: &mut Dice,
    plan: &mut Plan<T>,
) -> Result<Option<WithStanding<T>>, NoMatch> {
    let (left_out, limited) = (&mut plan.left_out, &mut plan.limited);
    Layer { view, left_out, limited, dice }.lay(node, SmallVec::new(), Reason::Only)
}

/// A node whose members are in their order.
pub(super) enum Laid<T> {
    /// A target, and how it stands.
    Step(Step<T>, Standing),
    /// Members, and after which failures of one the next is tried.
    Members(Vec<Laid<T>>, Failures),
}

/// A node that was laid.
pub(super) struct WithStanding<T> {
    pub(super) tree: Laid<T>,
    /// How it stands as a whole.
    pub(super) standing: Standing,
    measured: Measured,
}

pub(super) struct Layer<'a, T> {
    pub(super) view: &'a dyn View<T>,
    pub(super) left_out: &'a mut Vec<LeftOut<T>>,
    limited: &'a mut Option<Duration>,
    dice: &'a mut Dice,
}

/// Where a node stands in the tree.
pub(super) type Path = SmallVec<[u16; 4]>;

/// Members that were laid.
pub(super) type LaidMembers<'g, T> = Vec<(WithStanding<T>, &'g Member<T>)>;

impl<T: Clone> Layer<'_, T> {
    /// Lays a node; `None` if nobody in it takes the request.
    pub(super) fn lay(&mut self, node: &Node<T>, path: Path, why: Reason) -> Result<Option<WithStanding<T>>, NoMatch> {
        match node {
            Node::Target(target) => {
                let standing = self.view.standing(target);
                if let Standing::Out(_) = standing {
                    self.left_out.push(LeftOut { target: target.clone(), path, standing });
                    return Ok(None);
                }
                let (limits, exits) = (SmallVec::new(), SmallVec::new());
                let step = Step { target: target.clone(), path, why, limits, exits };
                Ok(Some(WithStanding {
                    tree: Laid::Step(step, standing),
                    standing,
                    measured: self.view.measured(target),
                }))
            }
            Node::Group(group) => self.lay_group(group, &path),
        }
    }

    fn lay_group(&mut self, group: &Group<T>, path: &Path) -> Result<Option<WithStanding<T>>, NoMatch> {
        let chosen = match &group.strategy {
            Strategy::Single => Some((0, Reason::Only)),
            Strategy::Conditional(rules, default) => Some(self.condition(rules, *default)?),
            Strategy::Balance(_)
            | Strategy::Preferring(..)
            | Strategy::Sticky(_)
            | Strategy::Auto(_)
            | Strategy::Limited(_) => None,
        };
        if let Some((index, why)) = chosen {
            let Some(member) = group.members.get(index) else { return Err(NoMatch) };
            return self.lay(&member.node, below(path, index), why);
        }
        let laid = match &group.strategy {
            Strategy::Auto(auto) => self.lay_suiting(auto, group, path)?,
            _ => self.lay_members(group, path)?,
        };
        Ok(self.of_members(group, path, laid))
    }

    fn lay_members<'g>(&mut self, group: &'g Group<T>, path: &Path) -> Result<LaidMembers<'g, T>, NoMatch> {
        let mut laid = Vec::with_capacity(group.members.len());
        for (index, member) in group.members.iter().enumerate() {
            // Another group's condition that does not hold leaves that group out.
            if let Some(one) = self.lay(&member.node, below(path, index), Reason::Follows)? {
                laid.push((one, member));
            }
        }
        Ok(laid)
    }

    /// The group of the members that take calls now, or would soonest.
    fn of_members(&mut self, group: &Group<T>, path: &Path, mut laid: LaidMembers<'_, T>) -> Option<WithStanding<T>> {
        if let Strategy::Limited(limit) = &group.strategy {
            laid = self.within(limit, path, laid);
        }
        if group.is_drawn() && laid.iter().any(|(_, member)| member.weight > 0.0) {
            let (drawn, drained) = laid.into_iter().partition(|(_, member)| member.weight > 0.0);
            leave_out(drained, Some(DRAINED), self.left_out);
            laid = drawn;
        }
        let best = laid.iter().map(|(one, _)| rank(one.standing)).min()?;
        if !group.asks_first_alone() {
            let (kept, rest) = laid.into_iter().partition(|(one, _)| rank(one.standing) == best);
            leave_out(rest, None, self.left_out);
            laid = kept;
        }
        Some(self.ordered(group, path, laid))
    }

    /// Of the members of a group before whose first stands a limit: all, if it has room, and else all others.
    fn within<'m>(
        &mut self,
        limit: &Arc<limit::Named>,
        group: &Path,
        mut laid: LaidMembers<'m, T>,
    ) -> LaidMembers<'m, T> {
        let Some((first, _)) = laid.first_mut().filter(|(one, _)| one.is_first_of(group)) else { return laid };
        let key = limit.limit.key_of(self.view.facts());
        let wait = self.view.wait(limit, &key);
        if wait.is_zero() {
            first.tree.pass(&Passed { limit: Arc::clone(limit), key, depth: group.len() });
            return laid;
        }
        *self.limited = Some(self.limited.map_or(wait, |known| known.min(wait)));
        leave_out(laid.drain(..1).collect(), Some(LIMITED), self.left_out);
        laid
    }

    fn ordered(&mut self, group: &Group<T>, path: &Path, kept: LaidMembers<'_, T>) -> WithStanding<T> {
        let candidates: SmallVec<[Candidate; 8]> =
            kept.iter().map(|(one, member)| Candidate { weight: member.weight, measured: one.measured }).collect();
        let (order, why) = match &group.strategy {
            Strategy::Sticky(fields) => {
                let order = Balance::Weighted.order(&candidates, 0, self.view.now(), &mut self.stuck(fields));
                (order, Reason::Sticks)
            }
            Strategy::Balance(balance) => {
                let order = balance.order(&candidates, self.view.turn(group.id), self.view.now(), self.dice);
                (order.clone(), Reason::Chosen(order.why))
            }
            Strategy::Preferring(balance, preference) => {
                let order = balance.order(&candidates, self.view.turn(group.id), self.view.now(), self.dice);
                self.preferred(&order, preference, &kept)
            }
            // They have been laid in their order.
            Strategy::Auto(auto) => {
                (Balance::Priority.order(&candidates, 0, self.view.now(), self.dice), self.suits(auto))
            }
            Strategy::Limited(_) => {
                let order = Balance::Priority.order(&candidates, 0, self.view.now(), self.dice);
                let first = kept.first().is_some_and(|(one, _)| one.is_first_of(path));
                (order, if first { Reason::UnderLimit } else { Reason::OverLimit })
            }
            // These never come here: they have one member, which is laid alone.
            Strategy::Conditional(..) | Strategy::Single => {
                (Balance::Priority.order(&candidates, 0, self.view.now(), self.dice), Reason::Only)
            }
        };
        let mut slots: Vec<Option<WithStanding<T>>> = kept.into_iter().map(|(one, _)| Some(one)).collect();
        let in_order: Vec<WithStanding<T>> =
            order.members.iter().filter_map(|index| slots.get_mut(*index)?.take()).collect();
        // Where no failure leads to the next, the first is the group.
        let asked = if group.fallback.is_empty() { 1 } else { in_order.len() };
        let standings = in_order.iter().take(asked).map(|one| one.standing);
        let standing = standings.min_by_key(|one| waiting(*one)).unwrap_or(Standing::In);
        let measured = in_order.first().map(|one| one.measured).unwrap_or_default();
        let mut trees: Vec<Laid<T>> = in_order.into_iter().map(|one| one.tree).collect();
        match trees.first_mut() {
            // Of several reasons, the class is the one that people ask for.
            Some(first) if matches!(why, Reason::Suits(..)) => first.explain_anew(why),
            Some(first) => first.explain(why),
            None => {}
        }
        WithStanding { tree: Laid::Members(trees, group.fallback.clone()), standing, measured }
    }

    /// Puts those that are slower than is preferred behind the others; nobody is left out by it.
    fn preferred(
        &self,
        order: &Order,
        preference: &Preference,
        members: &[(WithStanding<T>, &Member<T>)],
    ) -> (Order, Reason) {
        let meets = |index: &usize| {
            let targets = members.get(*index).map(|(_, member)| member.node.targets()).unwrap_or_default();
            targets.into_iter().any(|target| self.view.meets(target, preference))
        };
        let first = order.members.first().copied();
        let (mut quick, slow): (SmallVec<[usize; 8]>, SmallVec<[usize; 8]>) =
            order.members.iter().copied().partition(|index| meets(index));
        quick.extend(slow);
        let why = if quick.first().copied() == first { Reason::Chosen(order.why) } else { Reason::Preferred };
        (Order { members: quick, why: order.why }, why)
    }

    /// The dice of requests that agree in these facts; of all if there are none.
    fn stuck(&self, fields: &[Box<str>]) -> Dice {
        let facts = self.view.facts();
        let text: String = fields
            .iter()
            .map(|field| facts.fact(field).map_or_else(String::new, |fact| format!("{fact}\u{1f}")))
            .collect();
        Dice::of(text.as_bytes())
    }

    fn condition(&self, rules: &[(Query, usize)], default: Option<usize>) -> Result<(usize, Reason), NoMatch> {
        let facts = self.view.facts();
        let held = rules.iter().enumerate().find(|(_, (query, _))| query.holds(facts));
        match (held, default) {
            (Some((number, (_, member))), _) => Ok((*member, Reason::Condition(Some(number)))),
            (None, Some(member)) => Ok((member, Reason::Condition(None))),
            (None, None) => Err(NoMatch),
        }
    }
}

impl<T> Group<T> {
    /// Whether weights decide who is asked. Who has none of it is drained: it gets nothing while another could be drawn,
    /// not even after a failure.
    fn is_drawn(&self) -> bool {
        matches!(self.strategy, Strategy::Sticky(_) | Strategy::Balance(Balance::Weighted))
    }

    /// Whether the first member is asked however it stands: the next would be a fallback, and there is to be none.
    fn asks_first_alone(&self) -> bool {
        self.fallback.is_empty() && matches!(self.strategy, Strategy::Balance(Balance::Priority))
    }
}

impl<T> WithStanding<T> {
    /// Whether it is the first member of the group with this path.
    fn is_first_of(&self, group: &Path) -> bool {
        self.tree.first().is_some_and(|step| step.path.get(group.len()) == Some(&0))
    }
}

impl<T> Laid<T> {
    /// The first step below.
    fn first(&self) -> Option<&Step<T>> {
        match self {
            Self::Step(step, _) => Some(step),
            Self::Members(members, _) => members.first()?.first(),
        }
    }

    /// Every step below has to pass a limit.
    fn pass(&mut self, passed: &Passed) {
        match self {
            Self::Step(step, _) => step.limits.push(passed.clone()),
            Self::Members(members, _) => members.iter_mut().for_each(|member| member.pass(passed)),
        }
    }

    /// The first step below, to be changed.
    pub(super) fn first_mut(&mut self) -> Option<&mut Step<T>> {
        match self {
            Self::Step(step, _) => Some(step),
            Self::Members(members, _) => members.first_mut()?.first_mut(),
        }
    }

    /// Says why the first step below stands first, if nothing nearer to it has.
    fn explain(&mut self, why: Reason) {
        if let Some(step) = self.first_mut().filter(|step| step.why == Reason::Follows) {
            step.why = why;
        }
    }

    /// Says so in place of what was said nearer to it.
    fn explain_anew(&mut self, why: Reason) {
        if let Some(step) = self.first_mut() {
            step.why = why;
        }
    }

    /// Leaves out every target of it: for this reason, or because of how it stands.
    pub(super) fn leave_out(self, why: Option<Standing>, left_out: &mut Vec<LeftOut<T>>) {
        match self {
            Self::Step(Step { target, path, .. }, standing) => {
                left_out.push(LeftOut { target, path, standing: why.unwrap_or(standing) });
            }
            Self::Members(members, _) => members.into_iter().for_each(|member| member.leave_out(why, left_out)),
        }
    }

    fn steps(&self) -> usize {
        match self {
            Self::Step(..) => 1,
            Self::Members(members, _) => members.iter().map(Self::steps).sum(),
        }
    }
}

/// Lays a tree flat.
pub(super) fn flatten<T>(tree: Laid<T>, exits: &mut SmallVec<[Exit; 2]>, out: &mut SmallVec<[Step<T>; 4]>) {
    match tree {
        Laid::Step(step, _) => out.push(Step { exits: exits.clone(), ..step }),
        Laid::Members(members, on) => {
            let last = members.len().saturating_sub(1);
            for (index, member) in members.into_iter().enumerate() {
                let has_exit = index < last && !on.is_empty();
                if has_exit {
                    exits.push(Exit { on: on.clone(), to: out.len() + member.steps() });
                }
                flatten(member, exits, out);
                if has_exit {
                    exits.pop();
                }
            }
        }
    }
}

/// Leaves out members: for this reason, or because of how each of their targets stands.
fn leave_out<T>(members: LaidMembers<'_, T>, why: Option<Standing>, left_out: &mut Vec<LeftOut<T>>) {
    for (one, _) in members {
        one.tree.leave_out(why, left_out);
    }
}

pub(super) fn below(path: &Path, index: usize) -> Path {
    let mut path = path.clone();
    path.push(u16::try_from(index).unwrap_or(u16::MAX));
    path
}

fn rank(standing: Standing) -> u8 {
    match standing {
        Standing::In => 0,
        Standing::Full(_) => 1,
        Standing::Resting(_) => 2,
        Standing::Out(_) | Standing::Unable(_) => 3,
    }
}

fn waiting(standing: Standing) -> (u8, Duration) {
    match standing {
        Standing::In | Standing::Out(_) | Standing::Unable(_) => (rank(standing), Duration::ZERO),
        Standing::Full(wait) | Standing::Resting(wait) => (rank(standing), wait),
    }
}
