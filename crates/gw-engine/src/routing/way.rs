//! What a model's name stands for, prepared for a worker; and the view that a plan is made with.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use gw_core::Operation;
use gw_policy::auto::{Abilities, Need};
use gw_policy::condition::Facts;
use gw_policy::limit::Named;
use gw_policy::measure::{Measured, Preference};
use gw_policy::plan::{Node, Standing, View};
use serde_json::Value;

use crate::engine::Resolved;
use crate::limits::Running;
use crate::pricing::Pricing;
use crate::routing::{RequestFacts, need, target};
use crate::snapshot::Credential;

/// A tree of targets with what a worker remembers of it.
pub(crate) struct Way {
    node: Node<Rc<Resolved>>,
    /// How many requests have come to each group.
    turns: Box<[Cell<u64>]>,
    said: Said,
}

/// What the routing that a request brings says of the request, beside who is to be asked.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Who it is for.
    pub(crate) user: Option<Value>,
    /// Its tags.
    pub(crate) tags: Option<Value>,
    /// Why nobody is left where conditions lead it to none of its targets that stayed.
    pub(crate) unserved: Option<Box<str>>,
}

impl Way {
    /// Prepares a tree. Each worker begins its turns elsewhere.
    pub(crate) fn new(mut node: Node<Rc<Resolved>>, begin: u64) -> Self {
        let groups = target::number(&mut node, 0);
        Self { node, turns: (0..groups).map(|_| Cell::new(begin)).collect(), said: Said::default() }
    }

    /// The same, for requests that say this of themselves.
    pub(crate) fn saying(self, said: Said) -> Self {
        Self { said, ..self }
    }

    /// What its requests say of themselves.
    pub(crate) fn said(&self) -> &Said {
        &self.said
    }

    /// The tree.
    pub(crate) fn node(&self) -> &Node<Rc<Resolved>> {
        &self.node
    }

    /// The target, where it is the only one.
    pub(crate) fn only(&self) -> Option<&Rc<Resolved>> {
        match &self.node {
            Node::Target(only) => Some(only),
            Node::Group(_) => None,
        }
    }

    /// The target, where it is the only one and has no cap: one with a cap is planned for, since a request may have to
    /// wait for a place there.
    pub(crate) fn only_unplanned(&self) -> Option<&Rc<Resolved>> {
        self.only().filter(|only| only.choice.provider.standing_rules.cap.is_none())
    }

    /// A request has come: it is the turn of the next.
    pub(crate) fn turn(&self) {
        self.turns.iter().for_each(|turn| turn.set(turn.get().wrapping_add(1)));
    }
}

/// What a plan of one request is made with.
pub(crate) struct Seen<'a> {
    pub(crate) way: &'a Way,
    pub(crate) facts: &'a RequestFacts<'a>,
    pub(crate) now: Duration,
    pub(crate) limits: &'a Running,
    /// The time of the calendar.
    pub(crate) wall: SystemTime,
    /// Whether the client brings a key that a provider without one may be asked with.
    pub(crate) has_foreign_key: bool,
    /// The turns between the last request and this one: none for a request that has come, one for one that might.
    pub(crate) turns_ahead: u64,
    /// What is known of models.
    pub(crate) pricing: &'a Pricing,
    /// What the conversation needs of one, once somebody asks.
    pub(crate) need: OnceCell<Need>,
}

impl View<Rc<Resolved>> for Seen<'_> {
    fn standing(&self, target: &Rc<Resolved>) -> Standing {
        let provider = &target.choice.provider;
        if provider.credential == Credential::Missing && !(self.has_foreign_key && target.choice.provider_named) {
            return Standing::Out("it has no credential");
        }
        target.standing(self.now)
    }

    fn measured(&self, target: &Rc<Resolved>) -> Measured {
        let provider = &target.choice.provider;
        provider.standing.measured(&provider.standing_rules, self.now)
    }

    fn meets(&self, target: &Rc<Resolved>, preference: &Preference) -> bool {
        let provider = &target.choice.provider;
        provider.standing.meets(&provider.standing_rules, preference, self.now)
    }

    fn need(&self) -> Need {
        *self.need.get_or_init(|| need::of(self.facts.call, self.facts.head))
    }

    fn abilities(&self, target: &Rc<Resolved>) -> Abilities {
        *target.abilities.get_or_init(|| need::abilities(self.pricing, target))
    }

    fn wait(&self, limit: &Named, key: &str) -> Duration {
        // Nothing is asked of a model by counting.
        match self.facts.call.dialect.operation() {
            Operation::CountTokens => Duration::ZERO,
            _ => self.limits.wait(limit, key, self.wall),
        }
    }

    fn turn(&self, group: usize) -> u64 {
        self.way.turns.get(group).map_or(0, Cell::get).wrapping_add(self.turns_ahead)
    }

    fn facts(&self) -> &dyn Facts {
        self.facts
    }

    fn now(&self) -> Duration {
        self.now
    }
}
