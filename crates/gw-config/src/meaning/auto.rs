//! Routes whose models are chosen by what a conversation needs: as meant.

use gw_policy::auto::{Auto, Tier, Tradeoff};
use gw_policy::failure::Class;

use super::Meaning;
use super::groups::weighted;
use super::routes::{Branch, Inherited};
use crate::config::{AutoRoute, RouteGroup, RouteNode, RouteStrategy, Routing, Spanned};
use crate::decode::Written;
use crate::diagnostic::Place;
use crate::file::{self, Mode, Strategy};
use crate::names::ModelPattern;
use crate::text::quote;

impl Meaning<'_> {
    /// The targets that a model is chosen from. There need be none where models are named by patterns.
    pub(super) fn targets_of<'r>(
        &mut self,
        written: &'r Written<Vec<Spanned<file::Target>>>,
        (place, subject): (&Place, &str),
        has_patterns: bool,
    ) -> Option<&'r [Spanned<file::Target>]> {
        let Some(targets) = written.given() else {
            if written.is_absent() && !has_patterns {
                let message = format!("{subject} has no {}", quote("targets"));
                self.mistake(place, message, "add targets or allowed_models");
            }
            return has_patterns.then_some(&[]);
        };
        if targets.value.is_empty() && !has_patterns {
            self.mistake(&targets.place, format!("{subject} has no target"), "add one");
        }
        Some(&targets.value)
    }

    /// Reports patterns where no model is chosen.
    pub(super) fn refuse_patterns(&mut self, written: &file::Route, is_auto: bool) {
        let excluded = written.excluded_models.given().map(|given| (&given.place, "excluded_models"));
        let allowed = written.allowed_models.given().map(|given| (&given.place, "allowed_models"));
        if !is_auto {
            for (place, key) in [allowed, excluded].into_iter().flatten() {
                let message = format!("{} is for routes with the strategy auto", quote(key));
                self.mistake(place, message, "set \"strategy: auto\", or remove it");
            }
            return;
        }
        if let Some((place, _)) = allowed.filter(|_| written.allowed_models.value().is_some_and(Vec::is_empty)) {
            self.mistake(
                place,
                "\"allowed_models\" is empty, so no model is allowed".to_owned(),
                "add one, such as \"*\"",
            );
        }
        if let Some((place, _)) = excluded.filter(|_| written.allowed_models.is_absent()) {
            let message = "\"excluded_models\" leaves models out of \"allowed_models\", and there are none".to_owned();
            self.mistake(place, message, "add \"allowed_models\", or remove it");
        }
    }

    /// The group of a route that chooses models.
    pub(super) fn auto_group(
        &mut self,
        written: &file::Route,
        branch: &Branch<'_>,
        inherited: &Inherited,
        subject: &str,
        routing: &Routing,
    ) -> Option<RouteNode> {
        let empty = Strategy::default();
        let strategy = branch.strategy.value().map_or(&empty, |form| &form.0);
        self.refuse_idle_keys(strategy, Mode::Auto);
        let is_said = branch.fallback.given().is_some() || strategy.on_status_codes.given().is_some();
        let mut fallback = self.fallback(branch.strategy, branch.fallback, &routing.fallback);
        if let Some(codes) = strategy.on_status_codes.value() {
            fallback = gw_policy::failure::Failures::of_statuses(super::routing::numbers(codes));
        } else if !is_said && !fallback.is_empty() {
            // Tokens are estimated: another model may have room.
            fallback = fallback.with(Class::ContextLength);
        }
        let members = self.members(branch, inherited, subject, routing);
        let found = RouteStrategy::Auto(AutoRoute {
            auto: auto(strategy),
            allowed: patterns(&written.allowed_models),
            excluded: patterns(&written.excluded_models),
        });
        self.check_weights(Some(&found), &members);
        Some(RouteNode::Group(RouteGroup { strategy: found, members: weighted(members)?, fallback }))
    }

    /// Reports the strategy where it is none of a route.
    pub(super) fn refuse_auto(&mut self, written: &Strategy) -> Option<RouteStrategy> {
        if let Some(mode) = written.mode.given() {
            let message = "the strategy auto is for routes, not for targets".to_owned();
            self.mistake(
                &mode.place,
                message,
                "write it as routes[].strategy, with the models as targets or allowed_models",
            );
        }
        None
    }

    /// Reports what says something about the choice of models where none is chosen.
    pub(super) fn refuse_idle_keys_of_auto(&mut self, written: &Strategy, mode: Mode) {
        let tradeoff = written.cost_quality_tradeoff.given().map(|given| (&given.place, "cost_quality_tradeoff"));
        let tier = written.minimum_tier.given().map(|given| (&given.place, "minimum_tier"));
        for (place, key) in [tradeoff, tier].into_iter().flatten().filter(|_| mode != Mode::Auto) {
            self.mistake(place, format!("strategy.{key} is for the mode auto"), "set \"mode: auto\", or remove it");
        }
    }
}

/// How price and quality are weighed. What the operator writes is the least thrift that requests may ask for.
fn auto(strategy: &Strategy) -> Auto {
    let tradeoff = strategy.cost_quality_tradeoff.value().map(|written| written.0);
    Auto {
        tradeoff: tradeoff.unwrap_or_default(),
        tradeoff_min: tradeoff.unwrap_or(Tradeoff::MIN),
        tier_min: strategy.minimum_tier.value().copied().unwrap_or(Tier::Small),
    }
}

fn patterns(written: &Written<Vec<Spanned<ModelPattern>>>) -> Vec<Spanned<gw_policy::glob::Glob>> {
    let pattern = |one: &Spanned<ModelPattern>| Spanned { value: one.value.0.clone(), place: one.place.clone() };
    written.value().into_iter().flatten().map(pattern).collect()
}
