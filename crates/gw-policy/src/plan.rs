//! The attempt plan: which targets a request goes to, in which order, and after which failure to which next.
//!
//! A route is a tree. Its leaves are targets, its groups say how their members are ordered and after which failures the
//! next member is tried. A plan is the tree laid flat for one request, before anything is sent; each step knows where a
//! failure leads: first out of the innermost group, then out of those around it.

use std::time::Duration;

use smallvec::SmallVec;

use crate::balance::{Balance, Candidate, Order, Why};
use crate::condition::{Facts, Query};
use crate::dice::Dice;
use crate::failure::{Failure, Failures};
use crate::measure::{Measured, Preference};

/// A tree of targets. `T` names a target.
#[derive(Debug, Clone)]
pub enum Node<T> {
    /// A target.
    Target(T),
    /// Several, of which one or more are tried.
    Group(Group<T>),
}

/// Several members and how they are tried.
#[derive(Debug, Clone)]
pub struct Group<T> {
    /// Numbers the group among those whose turns are counted.
    pub id: usize,
    /// How the first is found.
    pub strategy: Strategy,
    /// Its members.
    pub members: Vec<Member<T>>,
    /// After which failures of a member the next is tried.
    pub fallback: Failures,
}

/// A member of a group.
#[derive(Debug, Clone)]
pub struct Member<T> {
    /// The target, or a group of its own.
    pub node: Node<T>,
    /// Its share, against the others'.
    pub weight: f64,
}

/// How the first member is found.
#[derive(Debug, Clone)]
pub enum Strategy {
    /// By their order, their measurements or chance.
    Balance(Balance),
    /// The same, but those that are slower than the request prefers come behind the others.
    Preferring(Balance, Preference),
    /// By weight, but the same for requests that agree in these facts.
    Sticky(Vec<Box<str>>),
    /// The first whose condition holds, else this one. No other is tried.
    Conditional(Vec<(Query, usize)>, Option<usize>),
    /// The first, and no other.
    Single,
}

/// Whether a target takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    In,
    /// Its cap is used; it has a place after so long.
    Full(Duration),
    /// It fails, and is left alone until this. It is asked all the same if there is no other.
    Resting(Duration),
    /// It does not, for this reason.
    Out(&'static str),
}

/// What a plan is made with.
pub trait View<T> {
    /// Whether a target takes calls.
    fn standing(&self, target: &T) -> Standing;
    /// What has been measured of it.
    fn measured(&self, target: &T) -> Measured;
    /// Whether it is as quick as a request prefers, as far as anything is known of it.
    fn meets(&self, _target: &T, _preference: &Preference) -> bool {
        true
    }
    /// How many requests have come to a group.
    fn turn(&self, group: usize) -> u64;
    /// The request, for conditions and for what sticks.
    fn facts(&self) -> &dyn Facts;
    /// The time.
    fn now(&self) -> Duration;
}

/// A request's way.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<T> {
    /// The attempts, the first one first. None if nobody takes the request.
    pub steps: SmallVec<[Step<T>; 4]>,
    /// Who was left out.
    pub left_out: Vec<LeftOut<T>>,
    /// How long the first must be waited for, because every cap is used.
    pub wait: Duration,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<T> {
    /// The target.
    pub target: T,
    /// Where it stands in the tree: the position in each group, the outermost first.
    pub path: SmallVec<[u16; 4]>,
    /// Why it comes here: what its innermost group said of its first member, or that it follows.
    pub why: Reason,
    exits: SmallVec<[Exit; 2]>,
}

/// Why a step stands where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// It is the only target there is.
    Only,
    /// Its group put it first.
    Chosen(Why),
    /// Those that would come before it are slower than the request prefers.
    Preferred,
    /// The requests that agree in some facts go to it.
    Sticks,
    /// Its condition holds; the number of the condition, or none where no condition held.
    Condition(Option<usize>),
    /// It follows if those before it fail.
    Follows,
}

/// A target that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut<T> {
    /// The target.
    pub target: T,
    /// Why.
    pub standing: Standing,
}

/// Where failures of some kind lead.
#[derive(Debug, Clone, PartialEq)]
struct Exit {
    on: Failures,
    to: usize,
}

/// No condition of a group held, and it has no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMatch;

impl<T: Clone> Node<T> {
    /// Plans one request.
    ///
    /// # Errors
    /// [`NoMatch`], if a conditional group has no member for it.
    pub fn plan(&self, view: &dyn View<T>, dice: &mut Dice) -> Result<Plan<T>, NoMatch> {
        let mut plan = Plan { steps: SmallVec::new(), left_out: Vec::new(), wait: Duration::ZERO };
        let laid = Layer { view, left_out: &mut plan.left_out, dice }.lay(self, SmallVec::new(), Reason::Only)?;
        let Some(laid) = laid else { return Ok(plan) };
        if let Standing::Full(wait) = laid.standing {
            plan.wait = wait;
        }
        flatten(laid.tree, &mut SmallVec::new(), &mut plan.steps);
        Ok(plan)
    }

    /// The same tree of other targets.
    pub fn map<U>(&self, each: &mut impl FnMut(&T) -> U) -> Node<U> {
        match self {
            Self::Target(target) => Node::Target(each(target)),
            Self::Group(group) => Node::Group(Group {
                id: group.id,
                strategy: group.strategy.clone(),
                members: group
                    .members
                    .iter()
                    .map(|member| Member { node: member.node.map(each), weight: member.weight })
                    .collect(),
                fallback: group.fallback.clone(),
            }),
        }
    }

    /// Every target of the tree, in the order in which they stand.
    pub fn targets(&self) -> Vec<&T> {
        match self {
            Self::Target(target) => vec![target],
            Self::Group(group) => group.members.iter().flat_map(|member| member.node.targets()).collect(),
        }
    }
}

impl<T> Plan<T> {
    /// Whether any failure of a step leads to another.
    pub fn has_next(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|step| !step.exits.is_empty())
    }

    /// Where a failure of a step leads; `None` if the client is told.
    pub fn after(&self, step: usize, failure: &Failure) -> Option<usize> {
        let exits = &self.steps.get(step)?.exits;
        exits.iter().rev().find(|exit| exit.on.contains(failure)).map(|exit| exit.to)
    }
}

/// A node whose members are in their order.
enum Laid<T> {
    Step(Step<T>),
    Members(Vec<Laid<T>>, Failures),
}

struct WithStanding<T> {
    tree: Laid<T>,
    standing: Standing,
    measured: Measured,
}

struct Layer<'a, T> {
    view: &'a dyn View<T>,
    left_out: &'a mut Vec<LeftOut<T>>,
    dice: &'a mut Dice,
}

type Path = SmallVec<[u16; 4]>;

impl<T: Clone> Layer<'_, T> {
    /// Lays a node; `None` if nobody in it takes the request.
    fn lay(&mut self, node: &Node<T>, path: Path, why: Reason) -> Result<Option<WithStanding<T>>, NoMatch> {
        match node {
            Node::Target(target) => {
                let standing = self.view.standing(target);
                if let Standing::Out(_) = standing {
                    self.left_out.push(LeftOut { target: target.clone(), standing });
                    return Ok(None);
                }
                let step = Step { target: target.clone(), path, why, exits: SmallVec::new() };
                Ok(Some(WithStanding { tree: Laid::Step(step), standing, measured: self.view.measured(target) }))
            }
            Node::Group(group) => self.lay_group(group, &path),
        }
    }

    fn lay_group(&mut self, group: &Group<T>, path: &Path) -> Result<Option<WithStanding<T>>, NoMatch> {
        let chosen = match &group.strategy {
            Strategy::Single => Some((0, Reason::Only)),
            Strategy::Conditional(rules, default) => Some(self.condition(rules, *default)?),
            Strategy::Balance(_) | Strategy::Preferring(..) | Strategy::Sticky(_) => None,
        };
        if let Some((index, why)) = chosen {
            let Some(member) = group.members.get(index) else { return Err(NoMatch) };
            return self.lay(&member.node, below(path, index), why);
        }
        let mut laid = Vec::with_capacity(group.members.len());
        for (index, member) in group.members.iter().enumerate() {
            // Another group's condition that does not hold leaves that group out.
            if let Some(one) = self.lay(&member.node, below(path, index), Reason::Follows)? {
                laid.push((one, member));
            }
        }
        let Some(best) = laid.iter().map(|(one, _)| rank(one.standing)).min() else { return Ok(None) };
        let (kept, rest): (Vec<_>, Vec<_>) = laid.into_iter().partition(|(one, _)| rank(one.standing) == best);
        rest.into_iter().for_each(|(one, _)| leave_out(one.tree, one.standing, self.left_out));
        Ok(Some(self.ordered(group, kept)))
    }

    fn ordered(&mut self, group: &Group<T>, kept: Vec<(WithStanding<T>, &Member<T>)>) -> WithStanding<T> {
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
            // These never come here: they have one member, which is laid alone.
            Strategy::Conditional(..) | Strategy::Single => {
                (Balance::Priority.order(&candidates, 0, self.view.now(), self.dice), Reason::Only)
            }
        };
        let mut slots: Vec<Option<WithStanding<T>>> = kept.into_iter().map(|(one, _)| Some(one)).collect();
        let in_order: Vec<WithStanding<T>> =
            order.members.iter().filter_map(|index| slots.get_mut(*index)?.take()).collect();
        let standing = in_order.iter().map(|one| one.standing).min_by_key(|one| waiting(*one)).unwrap_or(Standing::In);
        let measured = in_order.first().map(|one| one.measured).unwrap_or_default();
        let mut trees: Vec<Laid<T>> = in_order.into_iter().map(|one| one.tree).collect();
        if let Some(first) = trees.first_mut() {
            first.explain(why);
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

impl<T> Laid<T> {
    /// Says why the first step below stands first.
    fn explain(&mut self, why: Reason) {
        match self {
            Self::Step(step) if step.why == Reason::Follows => step.why = why,
            Self::Step(_) => {}
            Self::Members(members, _) => {
                if let Some(first) = members.first_mut() {
                    first.explain(why);
                }
            }
        }
    }

    fn steps(&self) -> usize {
        match self {
            Self::Step(_) => 1,
            Self::Members(members, _) => members.iter().map(Self::steps).sum(),
        }
    }
}

fn flatten<T>(tree: Laid<T>, exits: &mut SmallVec<[Exit; 2]>, out: &mut SmallVec<[Step<T>; 4]>) {
    match tree {
        Laid::Step(step) => out.push(Step { exits: exits.clone(), ..step }),
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

fn leave_out<T>(tree: Laid<T>, standing: Standing, left_out: &mut Vec<LeftOut<T>>) {
    match tree {
        Laid::Step(step) => left_out.push(LeftOut { target: step.target, standing }),
        Laid::Members(members, _) => members.into_iter().for_each(|member| leave_out(member, standing, left_out)),
    }
}

fn below(path: &Path, index: usize) -> Path {
    let mut path = path.clone();
    path.push(u16::try_from(index).unwrap_or(u16::MAX));
    path
}

fn rank(standing: Standing) -> u8 {
    match standing {
        Standing::In => 0,
        Standing::Full(_) => 1,
        Standing::Resting(_) => 2,
        Standing::Out(_) => 3,
    }
}

fn waiting(standing: Standing) -> (u8, Duration) {
    match standing {
        Standing::In | Standing::Out(_) => (rank(standing), Duration::ZERO),
        Standing::Full(wait) | Standing::Resting(wait) => (rank(standing), wait),
    }
}

#[cfg(test)]
mod tests;
mod trees;
mod words;
