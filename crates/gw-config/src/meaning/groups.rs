//! Groups of targets as meant: how the first is found, and after which failures the next is tried. Routes and the JSON
//! form share them.

use gw_policy::balance::Balance;
use gw_policy::condition::Query;
use gw_policy::failure::Failures;

use super::Meaning;
use super::routing::numbers;
use crate::config::{RouteGroup, RouteNode, RouteStrategy, Spanned};
use crate::decode::Written;
use crate::diagnostic::Place;
use crate::expression::ExpressionText;
use crate::file::{Branch, Mode, Strategy, StrategyForm};
use crate::names::ModelName;
use crate::quantities::Weight;
use crate::text::{nearest, quote};

/// What callers are told by where nothing else is said: what the request says of its user.
const USER: &str = "user";

/// A member of a group.
pub(super) struct Member<'a> {
    /// What conditions call it.
    pub(super) name: Option<&'a Spanned<ModelName>>,
    pub(super) weight: &'a Written<Weight>,
    pub(super) place: &'a Place,
    /// What it is; `None` if that could not be read, which was reported.
    pub(super) node: Option<RouteNode>,
}

impl Meaning<'_> {
    /// How many of the targets are ever used: all, unless the strategy takes the first alone. The others are warned of.
    pub(super) fn used<'t, T>(
        &mut self,
        strategy: &Written<StrategyForm>,
        targets: &'t [Spanned<T>],
    ) -> &'t [Spanned<T>] {
        let is_single = mode_of(strategy).is_some_and(|mode| mode.value == Mode::Single);
        match targets {
            [first, unused @ ..] if is_single => {
                for target in unused {
                    let message = "this target is never used, since the strategy is single".to_owned();
                    self.warning(&target.place, message, "remove it");
                }
                std::slice::from_ref(first)
            }
            all => all,
        }
    }

    /// One node of several members. One member stands for itself, unless there are conditions.
    pub(super) fn group(
        &mut self,
        strategy: &Written<StrategyForm>,
        members: Vec<Member<'_>>,
        fallback: Failures,
    ) -> Option<RouteNode> {
        let empty = Strategy::default();
        let written = strategy.value().map_or(&empty, |form| &form.0);
        let mode = written.mode.value().copied().unwrap_or(Mode::Balance(Balance::Priority));
        self.refuse_idle_keys(written, mode);
        self.refuse_idle_limit(written, mode);
        let found = match mode {
            Mode::Conditional => self.branches(written, &members),
            _ if self.sticks(written, mode) => Some(RouteStrategy::Sticky(self.hash_fields(written))),
            Mode::Balance(balance) => Some(RouteStrategy::Balance(balance)),
            Mode::Single => Some(RouteStrategy::Single),
            Mode::Sticky => Some(RouteStrategy::Sticky(self.hash_fields(written))),
            // A route reads it itself.
            Mode::Auto => self.refuse_auto(written),
            Mode::Limit => self.limit_of(written).map(|limit| RouteStrategy::Limited(limit, None)),
        };
        self.check_weights(found.as_ref(), &members);
        let fallback = match written.on_status_codes.value() {
            Some(codes) => Failures::of_statuses(numbers(codes)),
            None => fallback,
        };
        let members = weighted(members)?;
        let strategy = found?;
        match (members.len(), &strategy) {
            (0, _) => None,
            (1, RouteStrategy::Balance(_) | RouteStrategy::Sticky(_) | RouteStrategy::Single) => {
                members.into_iter().next().map(|(node, _)| node)
            }
            (_, _) => Some(RouteNode::Group(RouteGroup { strategy, members, fallback })),
        }
    }

    /// Reports what says something about another way to find the first.
    pub(super) fn refuse_idle_keys(&mut self, written: &Strategy, mode: Mode) {
        self.refuse_idle_keys_of_auto(written, mode);
        if mode == Mode::Conditional {
            return;
        }
        let conditions = written.conditions.given().map(|given| (&given.place, "conditions"));
        let default = written.default_target.given().map(|given| (&given.place, "default"));
        for (place, key) in [conditions, default].into_iter().flatten() {
            let message = format!("strategy.{key} is for the mode conditional");
            self.mistake(place, message, "set \"mode: conditional\", or remove it");
        }
        let may_stick = matches!(mode, Mode::Sticky | Mode::Balance(Balance::Weighted));
        let sticky = written.sticky.given().filter(|given| given.value.enabled.value() != Some(&false));
        if let Some(sticky) = sticky.filter(|_| !may_stick) {
            let message = "strategy.sticky is for the modes loadbalance and sticky".to_owned();
            self.mistake(&sticky.place, message, "set \"mode: loadbalance\", or remove it");
        }
    }

    fn sticks(&self, written: &Strategy, mode: Mode) -> bool {
        mode == Mode::Balance(Balance::Weighted)
            && written.sticky.value().is_some_and(|sticky| sticky.enabled.value() != Some(&false))
    }

    /// What callers are told by.
    fn hash_fields(&mut self, written: &Strategy) -> Vec<String> {
        let fields = written.sticky.value().and_then(|sticky| sticky.hash_fields.value());
        let Some(fields) = fields.filter(|fields| !fields.is_empty()) else {
            return vec![USER.to_owned()];
        };
        for field in fields {
            let (root, rest) = field.value.split_once('.').unwrap_or((&field.value, ""));
            let is_known =
                field.value == USER || (matches!(root, "metadata" | "params" | "headers") && !rest.is_empty());
            if !is_known {
                let message = format!("callers cannot be told by {}", self.show(&field.value, &field.place));
                self.mistake(&field.place, message, "write metadata.NAME, params.NAME, headers.NAME or user");
            }
        }
        fields.iter().map(|field| field.value.clone()).collect()
    }

    /// The conditions, each with the position of its target.
    fn branches(&mut self, written: &Strategy, members: &[Member<'_>]) -> Option<RouteStrategy> {
        let Some(conditions) = written.conditions.given() else {
            if let (Some(mode), true) = (written.mode.given(), written.conditions.is_absent()) {
                let message = "the strategy is conditional, and there are no conditions".to_owned();
                self.mistake(&mode.place, message, "add strategy.conditions");
            }
            return None;
        };
        let mut branches: Vec<(Query, usize)> = Vec::new();
        for condition in &conditions.value {
            let Branch { query, expression, then } = &condition.value;
            if query.is_absent() && expression.is_absent() {
                let message = "a condition says nothing of the requests".to_owned();
                self.mistake(&condition.place, message, "add \"query\" or \"expression\"");
            }
            let Some(then) = then.given() else { continue };
            let expression = expression.value().map(ExpressionText::query);
            let query = match (query.value().map(|query| query.0.clone()), expression) {
                (Some(query), Some(expression)) => Query::And(vec![query, expression]),
                (Some(only), None) | (None, Some(only)) => only,
                (None, None) => continue,
            };
            branches.extend(self.position(then, members).map(|index| (query, index)));
        }
        let default = written.default_target.given().map(|name| self.position(name, members));
        Some(RouteStrategy::Conditional(branches, default.flatten()))
    }

    fn position(&mut self, name: &Spanned<String>, members: &[Member<'_>]) -> Option<usize> {
        let named = |member: &Member<'_>| member.name.is_some_and(|given| given.value.0 == name.value);
        let found = members.iter().position(named);
        if found.is_none() {
            let shown = self.show(&name.value, &name.place);
            // What came from elsewhere is not guessed at, nor is it a guess: that would tell it.
            let stands_here =
                |name: &&Spanned<ModelName>| self.show(&name.value.0, &name.place) == quote(&name.value.0);
            let names = members.iter().filter_map(|member| member.name).filter(stands_here);
            let help = match nearest(&name.value, names.map(|name| name.value.0.as_str())) {
                Some(near) if shown == quote(&name.value) => format!("did you mean {}?", quote(near)),
                Some(_) | None => "give one of the targets this \"name\"".to_owned(),
            };
            self.mistake(&name.place, format!("no target has the name {shown}"), &help);
        }
        found
    }

    pub(super) fn check_weights(&mut self, strategy: Option<&RouteStrategy>, members: &[Member<'_>]) {
        let counts = matches!(strategy, Some(RouteStrategy::Balance(Balance::Weighted) | RouteStrategy::Sticky(_)));
        if members.len() < 2 || strategy.is_none() {
            return;
        }
        let weight = |member: &Member<'_>| member.weight.value().map_or(1.0, |weight| weight.0);
        if counts
            && members.iter().all(|member| weight(member) <= 0.0)
            && let Some(first) = members.first()
        {
            let message = "every weight is 0, so no target would be taken".to_owned();
            self.mistake(first.place, message, "give one of them a weight");
        }
        if let Some(idle) = members.iter().filter(|_| !counts).find_map(|member| member.weight.given()) {
            let message = "weights count with the strategy loadbalance or sticky only".to_owned();
            self.warning(&idle.place, message, "remove it, or set that strategy");
        }
    }
}

/// The members with their shares; `None` if one of them could not be read.
pub(super) fn weighted(members: Vec<Member<'_>>) -> Option<Vec<(RouteNode, f64)>> {
    let weighted = |member: Member<'_>| {
        let weight = member.weight.value().map_or(1.0, |weight| weight.0);
        member.node.map(|node| (node, weight))
    };
    members.into_iter().map(weighted).collect()
}

pub(super) fn mode_of(strategy: &Written<StrategyForm>) -> Option<&Spanned<Mode>> {
    strategy.value().and_then(|form| form.0.mode.given())
}
