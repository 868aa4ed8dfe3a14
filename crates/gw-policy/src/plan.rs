//! The attempt plan: which targets a request goes to, in which order, and after which failure to which next.
//!
//! A route is a tree. Its leaves are targets, its groups say how their members are ordered and after which failures the
//! next member is tried. A plan is the tree laid flat for one request, before anything is sent; each step knows where a
//! failure leads: first out of the innermost group, then out of those around it.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::auto::{Abilities, Auto, Class, Lack, Need, Tier};
use crate::balance::{Balance, Why};
use crate::condition::{Facts, Query};
use crate::dice::Dice;
use crate::failure::{Failure, Failures};
use crate::limit;
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
    /// The ones whose models suit the conversation best; its first members come before what suits it as well.
    Auto(Auto),
    /// The first while it is under a limit, and then the others in their order.
    Limited(Arc<limit::Named>),
}

/// Whether a target takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    In,
    /// Its cap is used; it has a place after so long.
    Full(Duration),
    /// It fails, and is left alone for so long. It is asked all the same where there is no other, or none that answers.
    Resting(Duration),
    /// It does not, for this reason.
    Out(&'static str),
    /// It does, and its model cannot do what this request needs.
    Unable(Lack),
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
    /// What the conversation needs of a model. Nobody asks unless a group is chosen from by that.
    fn need(&self) -> Need {
        Need::default()
    }

    /// What is known of a target's model. Nobody asks unless a group is chosen from by that.
    fn abilities(&self, _target: &T) -> Abilities {
        Abilities::default()
    }

    /// How long it is until a limit has room for requests of a key; nothing if it has now.
    fn wait(&self, _limit: &limit::Named, _key: &str) -> Duration {
        Duration::ZERO
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
    /// Who was left out. Of those that rest, the one that is back soonest may be asked all the same, as the last resort.
    pub left_out: Vec<LeftOut<T>>,
    /// How long the first must be waited for, because every cap is used.
    pub wait: Duration,
    /// How long it is until one of the limits that left targets out has room.
    pub limited: Option<Duration>,
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
    /// The limits that it counts for, the innermost first.
    pub limits: SmallVec<[Passed; 1]>,
    exits: SmallVec<[Exit; 2]>,
}

/// A limit that a request has to pass on its way to a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Passed {
    /// The limit.
    pub limit: Arc<limit::Named>,
    /// The request's key there.
    pub key: Box<str>,
    /// How deep its group stands in the tree: so much of [`Step::path`] leads to it.
    depth: usize,
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
    /// Its model suits conversations of this class best, which want this tier.
    Suits(Class, Tier),
    /// The limit before it has room.
    UnderLimit,
    /// The limit before another is used.
    OverLimit,
    /// It follows if those before it fail.
    Follows,
    /// It rests, and is asked once because nobody else is left.
    LastResort,
}

/// A target that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut<T> {
    /// The target.
    pub target: T,
    /// Where it stands in the tree, as in [`Step::path`].
    pub path: SmallVec<[u16; 4]>,
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
        let mut plan = Plan { steps: SmallVec::new(), left_out: Vec::new(), wait: Duration::ZERO, limited: None };
        let Some(laid) = lay::lay(self, view, dice, &mut plan)? else { return Ok(plan) };
        let tree = match laid.standing {
            Standing::Resting(_) => last_resort::of_those_that_rest(laid.tree, &mut plan.left_out),
            Standing::Full(wait) => {
                plan.wait = wait;
                laid.tree
            }
            Standing::In | Standing::Out(_) | Standing::Unable(_) => laid.tree,
        };
        lay::flatten(tree, &mut SmallVec::new(), &mut plan.steps);
        last_resort::add(self, view, &mut plan);
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

    /// Whether its members are tried as they stand.
    pub fn is_in_order(&self) -> bool {
        matches!(self, Self::Group(Group { strategy: Strategy::Balance(Balance::Priority), .. }))
    }

    /// Whether models are chosen somewhere in the tree by what a conversation needs.
    pub fn is_auto(&self) -> bool {
        let Self::Group(group) = self else { return false };
        matches!(group.strategy, Strategy::Auto(_)) || group.members.iter().any(|member| member.node.is_auto())
    }

    /// Every target of the tree, in the order in which they stand.
    pub fn targets(&self) -> Vec<&T> {
        match self {
            Self::Target(target) => vec![target],
            Self::Group(group) => group.members.iter().flat_map(|member| member.node.targets()).collect(),
        }
    }
}

impl<T> Group<T> {
    /// Whether a condition, a limit or its place chooses a member, so that no other may take its place.
    pub fn is_bound(&self) -> bool {
        matches!(self.strategy, Strategy::Conditional(..) | Strategy::Single | Strategy::Limited(_))
    }
}

impl<T> Plan<T> {
    /// The class of the conversation, where the first step was chosen by that.
    pub fn class(&self) -> Option<Class> {
        self.steps.iter().find_map(|step| match step.why {
            Reason::Suits(class, _) => Some(class),
            _ => None,
        })
    }

    /// Where a request goes on that a step's limit does not let through; `None` if the client is told.
    pub fn beyond(&self, step: usize, passed: &Passed) -> Option<usize> {
        let from = &self.steps.get(step)?.path;
        let (group, member) = (from.get(..passed.depth)?, from.get(passed.depth)?);
        let is_beyond = |step: &Step<T>| step.path.starts_with(group) && step.path.get(passed.depth) > Some(member);
        (step + 1..self.steps.len()).find(|next| self.steps.get(*next).is_some_and(is_beyond))
    }

    /// Whether a step counts for no limit that another does not count for.
    pub fn has_no_more_limits(&self, step: usize, than: usize) -> bool {
        let (Some(one), Some(other)) = (self.steps.get(step), self.steps.get(than)) else { return false };
        one.limits.iter().all(|limit| other.limits.iter().any(|passed| passed.limit.name == limit.limit.name))
    }

    /// Whether any failure of a step leads to another.
    pub fn has_next(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|step| !step.exits.is_empty())
    }

    /// Whether it is asked only because nobody else is left.
    pub fn is_last_resort(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|step| step.why == Reason::LastResort)
    }

    /// Whether any failure of a step leads to another that is no last resort.
    pub fn has_other(&self, step: usize) -> bool {
        let exits = self.steps.get(step).map(|step| step.exits.as_slice()).unwrap_or_default();
        exits.iter().any(|exit| !self.is_last_resort(exit.to))
    }

    /// The steps from this one on, without the last resort.
    pub fn usual_from(&self, step: usize) -> usize {
        let steps = self.steps.get(step..).unwrap_or_default();
        steps.iter().filter(|step| step.why != Reason::LastResort).count()
    }

    /// The steps that would be come to if every one failed so, this one first.
    pub fn chain(&self, step: usize, failure: &Failure) -> impl Iterator<Item = usize> {
        let first = (step < self.steps.len()).then_some(step);
        std::iter::successors(first, move |step| self.after(*step, failure))
    }

    /// Where a failure of a step leads; `None` if the client is told.
    pub fn after(&self, step: usize, failure: &Failure) -> Option<usize> {
        let exits = &self.steps.get(step)?.exits;
        exits.iter().rev().find(|exit| exit.on.contains(failure)).map(|exit| exit.to)
    }
}

mod auto;
mod last_resort;
mod lay;
#[cfg(test)]
mod tests;
mod trees;
mod words;
