//! The routes of a configuration as running: trees whose providers have been found, and the limits in them.

use std::sync::Arc;

use gw_config::config::{Config, Route, RouteGroup, RouteNode, RouteStrategy};
use gw_config::diagnostic::Diagnostic;
use gw_policy::limit::Named;
use gw_policy::plan::{Group, Member, Node, Strategy};

use super::{auto, references};
use crate::limits::{Limits, Running};
use crate::models::{Draft, Models, RouteTarget, Routes, TargetSettings, Versions};
use crate::pricing::Pricing;

/// What the trees of routes are joined to.
pub(super) struct Around<'a> {
    pub(super) limits: &'a Limits,
    pub(super) pricing: &'a Pricing,
}

/// The routes of a configuration, and what has been counted for their limits.
pub(super) fn routes(
    config: &Config,
    models: &Models,
    around: Around<'_>,
    (wrong, warnings): (&mut Vec<Diagnostic>, &mut Vec<String>),
) -> (Routes, Running) {
    let default = config.default_route.and_then(|index| config.routes.get(index));
    let mut routes = Routes {
        default: default.map(|route| Box::from(route.name.value.as_str())),
        default_overrides: config.default_route_overrides,
        ..Routes::default()
    };
    let mut growing = Growing { models, around, wrong, warnings, running: Running::default() };
    for route in &config.routes {
        let (name, node) = (Box::from(route.name.value.as_str()), growing.route(route));
        let Versions { deployed, drafts } = &mut routes.versions;
        match &route.version {
            Some(version) if !version.is_deployed => {
                drafts.insert(name, Draft { node, is_open: version.is_open });
                continue;
            }
            Some(version) => drop(deployed.insert(version.label().into(), name.clone())),
            None => {}
        }
        routes.by_name.insert(name, node);
    }
    (routes, growing.running)
}

/// What trees grow from.
struct Growing<'a> {
    models: &'a Models,
    around: Around<'a>,
    wrong: &'a mut Vec<Diagnostic>,
    warnings: &'a mut Vec<String>,
    running: Running,
}

/// The route that a tree is of.
struct Root {
    /// What is told of who serves a request: the route and its version, where it has several.
    label: Option<Arc<str>>,
    /// What stands before the names of its limits.
    counted_as: String,
}

impl Growing<'_> {
    fn route(&mut self, route: &Route) -> Node<RouteTarget> {
        let label = route.version.as_ref().map(|version| Arc::from(version.label()));
        let counted_as = format!("{}{}", self.models.prefix(), route.counted_as());
        let root = Root { label, counted_as };
        let node = self.tree(&route.node, &root, "");
        let RouteNode::Group(RouteGroup { strategy: RouteStrategy::Auto(auto), .. }) = &route.node else { return node };
        let (models, pricing) = (self.models, self.around.pricing);
        let told = auto::Told { models, pricing, wrong: &mut *self.wrong, warnings: &mut *self.warnings };
        let completed = auto::completed(route, auto, node, told);
        completed.map(&mut |target: &RouteTarget| labelled(target.clone(), root.label.as_ref()))
    }

    /// The tree of a node; `place` is where that stands in its route, such as `0.1`.
    fn tree(&mut self, node: &RouteNode, root: &Root, place: &str) -> Node<RouteTarget> {
        let group = match node {
            RouteNode::Target(target) => {
                let found = references::member(target, self.models, self.wrong);
                return Node::Target(labelled(found, root.label.as_ref()));
            }
            RouteNode::Group(group) => group,
        };
        let strategy = match &group.strategy {
            RouteStrategy::Balance(balance) => Strategy::Balance(*balance),
            RouteStrategy::Sticky(fields) => {
                Strategy::Sticky(fields.iter().map(|field| Box::from(field.as_str())).collect())
            }
            RouteStrategy::Conditional(conditions, default) => Strategy::Conditional(conditions.clone(), *default),
            RouteStrategy::Single => Strategy::Single,
            RouteStrategy::Auto(route) => Strategy::Auto(route.auto),
            RouteStrategy::Limited(limit, id) => {
                let place = id.as_deref().unwrap_or(place);
                let named = Named { name: format!("{}#{place}", root.counted_as).into(), limit: limit.clone() };
                self.running.add(&named, self.around.limits);
                Strategy::Limited(Arc::new(named))
            }
        };
        let mut members = Vec::with_capacity(group.members.len());
        for (index, (node, weight)) in group.members.iter().enumerate() {
            let below = if place.is_empty() { index.to_string() } else { format!("{place}.{index}") };
            members.push(Member { node: self.tree(node, root, &below), weight: *weight });
        }
        Node::Group(Group { id: 0, strategy, members, fallback: group.fallback.clone() })
    }
}

/// The same target, of this version of a route.
fn labelled(target: RouteTarget, label: Option<&Arc<str>>) -> RouteTarget {
    match label {
        None => target,
        Some(label) => {
            let settings = TargetSettings { route: Some(Arc::clone(label)), ..(*target.settings).clone() };
            RouteTarget { settings: Arc::new(settings), ..target }
        }
    }
}
