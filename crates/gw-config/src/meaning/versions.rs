//! Routes and their versions as meant: of several, one is deployed and the others are drafts.

use gw_policy::failure::Failures;

use super::Meaning;
use super::groups::mode_of;
use super::routes::{Branch, Inherited, spanned};
use crate::config::{Route, RouteNode, RouteVersion, Routing, Spanned};
use crate::decode::Written;
use crate::diagnostic::Place;
use crate::file::{self, Element, Mode, StrategyForm, Version};

/// What a route, or a version of it, is made of.
struct Body<'a> {
    strategy: &'a Written<StrategyForm>,
    targets: &'a Written<Vec<Spanned<file::Target>>>,
    elements: &'a Written<Vec<Spanned<Element>>>,
    place: &'a Place,
}

/// What holds for all versions of a route.
struct Around<'a> {
    written: &'a file::Route,
    inherited: Inherited,
    subject: String,
    routing: &'a Routing,
}

impl Meaning<'_> {
    /// A route, or its versions.
    pub(super) fn route(&mut self, written: &Spanned<file::Route>, routing: &Routing) -> Vec<Route> {
        let Spanned { value: written, place } = written;
        let Some(name) = written.name.given().map(spanned) else { return Vec::new() };
        let around = Around {
            written,
            inherited: Inherited {
                override_params: written.override_params.value().map(|members| members.0.clone()).unwrap_or_default(),
                retry: written.retry.given().map(|retry| self.retry(Some(retry), &routing.retry)),
                first_byte_timeout: written.first_byte_timeout.value().copied(),
                is_auto: false,
            },
            subject: format!("route {}", self.show(&name.value, &name.place)),
            routing,
        };
        let versions = written.versions.value().into_iter().flatten().map(|version| &version.value.strategy);
        self.refuse_patterns(written, versions.chain([&written.strategy]).any(is_auto));
        if !written.versions.is_absent() {
            return self.versions(&name, &around);
        }
        for (place, key) in [
            (written.deployed.given().map(|given| &given.place), "deployed"),
            (written.drafts.given().map(|given| &given.place), "drafts"),
        ] {
            if let Some(place) = place {
                let message = format!("\"{key}\" is for a route with versions");
                self.mistake(place, message, "write \"versions\", or remove it");
            }
        }
        let body = Body { strategy: &written.strategy, targets: &written.targets, elements: &written.elements, place };
        self.body(&body, &around).map(|node| Route { name, node, version: None }).into_iter().collect()
    }

    /// The versions of a route: the one that is deployed has its name, the others are drafts.
    fn versions(&mut self, name: &Spanned<String>, around: &Around<'_>) -> Vec<Route> {
        let written = around.written;
        self.refuse_beside_versions(written, &around.subject);
        let Some(versions) = written.versions.given() else { return Vec::new() };
        let deployed = self.deployed(versions, around);
        let mut routes = Vec::new();
        for Spanned { value: version, place } in &versions.value {
            let body =
                Body { strategy: &version.strategy, targets: &version.targets, elements: &version.elements, place };
            let node = self.body(&body, around);
            let (Some(node), Some(number)) = (node, number_of(version)) else { continue };
            let is_known = |one: &Route| one.version.as_ref().is_some_and(|known| known.number == number);
            if routes.iter().any(is_known) {
                continue;
            }
            let is_deployed = deployed == Some(number);
            let is_open = is_deployed || written.drafts.value() == Some(&true);
            let version = RouteVersion { route: name.value.clone(), number, is_deployed, is_open };
            let called = if is_deployed { name.value.clone() } else { version.label() };
            let name = Spanned { value: called, place: name.place.clone() };
            routes.push(Route { name, node, version: Some(version) });
        }
        routes
    }

    /// The number of the version that is deployed, which there must be.
    fn deployed(&mut self, versions: &Spanned<Vec<Spanned<Version>>>, around: &Around<'_>) -> Option<u32> {
        let subject = &around.subject;
        if versions.value.is_empty() {
            self.mistake(&versions.place, format!("{subject} has no version"), "add one");
            return None;
        }
        let mut numbers = Vec::new();
        for version in &versions.value {
            let Some(number) = number_of(&version.value) else { continue };
            if numbers.contains(&number) {
                let message = format!("{subject} has version {number} twice");
                self.mistake(&version.place, message, "give one of them another number");
            }
            numbers.push(number);
        }
        let Some(deployed) = around.written.deployed.given() else {
            if around.written.deployed.is_absent() {
                let message = format!("it is not said which version of {subject} is deployed");
                self.mistake(&versions.place, message, "add \"deployed\" with its number");
            }
            return None;
        };
        let number = u32::try_from(deployed.value.0).ok();
        if !number.is_some_and(|number| numbers.contains(&number)) && numbers.len() == versions.value.len() {
            let message = format!("{subject} has no version {}", deployed.value.0);
            let known: Vec<_> = numbers.iter().map(u32::to_string).collect();
            self.mistake(&deployed.place, message, &format!("write one of {}", known.join(", ")));
        }
        number
    }

    /// Reports what a route with versions says that its versions say.
    fn refuse_beside_versions(&mut self, written: &file::Route, subject: &str) {
        for (place, key) in [
            (written.strategy.given().map(|given| &given.place), "strategy"),
            (written.targets.given().map(|given| &given.place), "targets"),
            (written.elements.given().map(|given| &given.place), "elements"),
        ] {
            if let Some(place) = place {
                let message = format!("{subject} has versions, and \"{key}\" besides");
                self.mistake(place, message, "move it into a version");
            }
        }
    }

    /// Where a route, or a version of it, leads.
    fn body(&mut self, body: &Body<'_>, around: &Around<'_>) -> Option<RouteNode> {
        let Around { written, inherited, subject, routing } = around;
        if is_auto(body.strategy) && body.elements.is_absent() {
            let inherited = Inherited { is_auto: true, ..inherited.clone() };
            let has_patterns = !written.allowed_models.is_absent();
            let targets = self.targets_of(body.targets, (body.place, subject), has_patterns)?;
            let branch = Branch { strategy: body.strategy, targets, fallback: &written.fallback_on_errors };
            return self.auto_group(written, &branch, &inherited, subject, routing);
        }
        match (body.targets.given(), body.elements.given()) {
            (Some(_), Some(second)) => {
                let message = format!("{subject} has \"targets\", and \"elements\" besides");
                self.mistake(&second.place, message, "keep one of them");
                None
            }
            (Some(targets), None) => {
                if targets.value.is_empty() {
                    self.mistake(&targets.place, format!("{subject} has no target"), "add one");
                }
                let (strategy, fallback) = (body.strategy, &written.fallback_on_errors);
                self.branch(&Branch { strategy, targets: &targets.value, fallback }, inherited, subject, routing)
            }
            (None, Some(elements)) => {
                if let Some(strategy) = body.strategy.given() {
                    let message = format!("{subject} has \"elements\", which say how targets are chosen");
                    self.mistake(&strategy.place, message, "remove \"strategy\"");
                }
                let fallback: Failures = self.fallback(body.strategy, &written.fallback_on_errors, &routing.fallback);
                self.graph(elements, subject, inherited, (&fallback, &routing.retry))
            }
            (None, None) => {
                if body.targets.is_absent() && body.elements.is_absent() {
                    let message = format!("{subject} has neither \"targets\" nor \"elements\"");
                    self.mistake(body.place, message, "add one of them");
                }
                None
            }
        }
    }
}

fn is_auto(strategy: &Written<StrategyForm>) -> bool {
    mode_of(strategy).is_some_and(|mode| mode.value == Mode::Auto)
}

fn number_of(version: &Version) -> Option<u32> {
    version.number.value().and_then(|number| u32::try_from(number.0).ok())
}
