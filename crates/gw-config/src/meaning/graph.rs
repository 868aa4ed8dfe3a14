//! Routes as graphs, made trees: what several ways lead to stands once for each of them.

use std::collections::{HashMap, HashSet};

use gw_policy::balance::Balance;
use gw_policy::failure::Failures;
use gw_policy::retry::Retry;

use super::Meaning;
use super::limits::Parts;
use super::routes::{Inherited, spanned};
use crate::config::{RouteGroup, RouteNode, RouteStrategy, Spanned, Target};
use crate::diagnostic::Place;
use crate::file::{Element, ElementKind, ElementProperties};
use crate::text::{nearest, quote};

/// Elements of a graph.
const ELEMENTS_MAX: usize = 100;
/// Places in the tree that is made of it.
const PLACES_MAX: usize = 500;
/// Named outputs of a percentage.
const SHARES_MAX: usize = 5;

/// A graph whose elements have been found.
struct Graph<'a> {
    elements: HashMap<&'a str, &'a Spanned<Element>>,
    subject: &'a str,
    inherited: &'a Inherited,
    fallback: &'a Failures,
    retry: &'a Retry,
    /// Places in the tree so far.
    places: usize,
}

impl Meaning<'_> {
    /// The tree of a graph; `None` if it makes no sense, which was reported.
    pub(super) fn graph(
        &mut self,
        elements: &Spanned<Vec<Spanned<Element>>>,
        subject: &str,
        inherited: &Inherited,
        (fallback, retry): (&Failures, &Retry),
    ) -> Option<RouteNode> {
        let before = self.report.mistakes();
        if elements.value.len() > ELEMENTS_MAX {
            let message = format!("{subject} has more than {ELEMENTS_MAX} elements");
            self.mistake(&elements.place, message, "make several routes of it");
            return None;
        }
        let ids: Vec<_> = elements.value.iter().filter_map(|element| element.value.id.given().cloned()).collect();
        self.refuse_twins("element", &ids);
        let by_id = elements.value.iter().filter_map(|one| Some((one.value.id.value()?.as_str(), one))).collect();
        let mut graph = Graph { elements: by_id, subject, inherited, fallback, retry, places: 0 };
        let start = self.start(elements, subject);
        for element in &elements.value {
            self.check_element(element, &graph);
        }
        let start = start.filter(|_| self.report.mistakes() == before)?;
        self.refuse_cycles_and_islands(start, elements, &graph);
        if self.report.mistakes() > before {
            return None;
        }
        let node = self.led(start, "next", &mut graph);
        if graph.places > PLACES_MAX {
            let message = format!("{subject} leads along more than {PLACES_MAX} ways");
            self.mistake(&elements.place, message, "let fewer elements lead to the same one");
        }
        node.filter(|_| self.report.mistakes() == before)
    }

    /// The only element where requests come in.
    fn start<'e>(
        &mut self,
        elements: &'e Spanned<Vec<Spanned<Element>>>,
        subject: &str,
    ) -> Option<&'e Spanned<Element>> {
        let is_start = |element: &&Spanned<Element>| element.value.kind.value() == Some(&ElementKind::Start);
        let mut starts = elements.value.iter().filter(is_start);
        let Some(first) = starts.next() else {
            self.mistake(&elements.place, format!("{subject} has no element of type start"), "add one");
            return None;
        };
        if let Some(second) = starts.next() {
            let message = format!("{subject} has more than one element of type start");
            self.mistake(&second.place, message, "keep one of them");
        }
        Some(first)
    }

    /// Whether an element has the outputs that its type has, and properties of that type alone.
    fn check_element(&mut self, element: &Spanned<Element>, graph: &Graph<'_>) {
        let (Some(id), Some(kind)) = (element.value.id.given(), element.value.kind.value()) else { return };
        let shown = format!("element {}", self.show(&id.value, &id.place));
        let (wanted, properties): (&[&str], &[&str]) = match kind {
            ElementKind::Start => (&["next"], &[]),
            ElementKind::Conditional => (&["true", "false"], &["condition"]),
            ElementKind::Percentage => (&[], &[]),
            ElementKind::Rate => (&["success", "fallback"], &["limit_type", "key", "limit", "interval", "technique"]),
            ElementKind::Model => (&["success", "fallback"], &["provider", "model", "timeout", "retries"]),
            ElementKind::End => (&[], &[]),
        };
        for (place, key) in given(element.value.properties.value()) {
            if !properties.contains(&key) {
                let message = format!("{shown} has a \"{key}\", which its type does not know");
                self.mistake(place, message, "remove it");
            }
        }
        let outputs = outputs(&element.value);
        for name in wanted.iter().filter(|name| !outputs.iter().any(|(output, _)| output.value == **name)) {
            let message = format!("{shown} has no output {}", quote(name));
            self.mistake(&element.place, message, "say where it leads: { elementId: ID }");
        }
        if *kind == ElementKind::Percentage {
            self.shares(element, &shown);
        }
        for (name, to) in outputs {
            if *kind != ElementKind::Percentage && !wanted.contains(&name.value.as_str()) {
                let message = format!("{shown} has an output {}, which its type does not know", quote(&name.value));
                self.mistake(&name.place, message, "remove it");
            }
            if !graph.elements.contains_key(to.value.as_str()) {
                let near = nearest(&to.value, graph.elements.keys().copied());
                let help =
                    near.map_or_else(|| "write the id of one".to_owned(), |id| format!("did you mean {}?", quote(id)));
                let message = format!("no element of {} has the id {}", graph.subject, self.show(&to.value, &to.place));
                self.mistake(&to.place, message, &help);
            } else if *kind == ElementKind::Model && name.value == "success" && !is_end(&to.value, graph) {
                let message = format!("{shown} leads on after it has answered");
                self.mistake(&to.place, message, "let its output \"success\" lead to an element of type end");
            }
        }
        match kind {
            ElementKind::Conditional
                if element.value.properties.value().is_none_or(|all| all.condition.is_absent()) =>
            {
                self.mistake(&element.place, format!("{shown} has no condition"), "add properties.condition");
            }
            ElementKind::Model if element.value.properties.value().is_none_or(|all| all.model.is_absent()) => {
                self.mistake(&element.place, format!("{shown} has no model"), "add properties.model");
            }
            _ => {}
        }
    }

    /// The shares of a percentage's outputs, in the order of the outputs. `else` has what is left.
    fn shares(&mut self, element: &Spanned<Element>, shown: &str) -> Vec<f64> {
        let outputs = outputs(&element.value);
        let mut named = Vec::new();
        for (name, _) in outputs.iter().filter(|(name, _)| name.value != "else") {
            match share(&name.value) {
                Some(share) => named.push(share),
                None => {
                    let message = format!("{shown} has an output {} that is no share", quote(&name.value));
                    self.mistake(&name.place, message, "write a share such as \"10%\", or \"else\"");
                }
            }
        }
        if named.len() > SHARES_MAX {
            let message = format!("{shown} has more than {SHARES_MAX} shares");
            self.mistake(&element.place, message, "let one of them lead to another element of type percentage");
        }
        let left = 100.0 - named.iter().sum::<f64>();
        let has_else = outputs.iter().any(|(name, _)| name.value == "else");
        if left < -1e-9 {
            self.mistake(&element.place, format!("{shown} has shares of more than 100%"), "lower them");
        } else if left > 1e-9 && !has_else {
            let message = format!("{shown} has shares of less than 100%, and no output \"else\"");
            self.mistake(&element.place, message, "add it, for the requests that are left");
        }
        let of = |name: &str| if name == "else" { left.max(0.0) } else { share(name).unwrap_or_default() };
        outputs.iter().map(|(name, _)| of(&name.value)).collect()
    }

    /// Reports elements that lead back to themselves, and those that nothing leads to.
    fn refuse_cycles_and_islands(
        &mut self,
        start: &Spanned<Element>,
        elements: &Spanned<Vec<Spanned<Element>>>,
        graph: &Graph<'_>,
    ) {
        let (mut open, mut done) = (HashSet::new(), HashSet::new());
        // Each element with the outputs that were not gone along yet.
        let mut way = vec![(start, outputs(&start.value))];
        while let Some((element, left)) = way.last_mut() {
            let id = element.value.id.value().map_or("", String::as_str);
            open.insert(id);
            let Some((_, to)) = left.pop() else {
                open.remove(id);
                done.insert(id);
                way.pop();
                continue;
            };
            if open.contains(to.value.as_str()) {
                let message = format!("element {} leads back to itself", self.show(&to.value, &to.place));
                self.mistake(&to.place, message, "let it lead to an element that does not lead here");
                return;
            }
            if let Some(next) = graph.elements.get(to.value.as_str()).filter(|_| !done.contains(to.value.as_str())) {
                way.push((next, outputs(&next.value)));
            }
        }
        for id in elements.value.iter().filter_map(|element| element.value.id.given()) {
            if !done.contains(id.value.as_str()) {
                let message = format!("nothing leads to element {}", self.show(&id.value, &id.place));
                self.mistake(&id.place, message, "remove it, or let an output lead to it");
            }
        }
    }

    /// Where an output of an element leads; a mistake if that is the end, where no model has been asked.
    fn led(&mut self, element: &Spanned<Element>, output: &str, graph: &mut Graph<'_>) -> Option<RouteNode> {
        let outputs = outputs(&element.value);
        let (_, to) = outputs.into_iter().find(|(name, _)| name.value == output)?;
        if is_end(&to.value, graph) {
            let shown = element.value.id.given().map(|id| self.show(&id.value, &id.place)).unwrap_or_default();
            let message = format!("element {shown} leads to the end, and no model has been asked");
            self.mistake(&to.place, message, "let it lead to an element of type model");
            return None;
        }
        self.tree(graph.elements.get(to.value.as_str()).copied()?, graph)
    }

    /// The tree of an element and all that it leads to.
    fn tree(&mut self, element: &Spanned<Element>, graph: &mut Graph<'_>) -> Option<RouteNode> {
        graph.places += 1;
        if graph.places > PLACES_MAX {
            return None;
        }
        let properties = element.value.properties.value();
        let group = |strategy, members, fallback| Some(RouteNode::Group(RouteGroup { strategy, members, fallback }));
        match element.value.kind.value()? {
            ElementKind::Start | ElementKind::End => None,
            ElementKind::Conditional => {
                let query = properties?.condition.value()?.0.clone();
                let (holds, else_) = (self.led(element, "true", graph), self.led(element, "false", graph));
                let strategy = RouteStrategy::Conditional(vec![(query, 0)], Some(1));
                group(strategy, vec![(holds?, 1.0), (else_?, 1.0)], Failures::NONE)
            }
            ElementKind::Percentage => {
                let shares = self.shares(element, "");
                let names: Vec<_> = outputs(&element.value).into_iter().map(|(name, _)| name.value.clone()).collect();
                let nodes: Vec<_> = names.iter().map(|name| self.led(element, name, graph)).collect();
                let members = nodes.into_iter().zip(shares).map(|(node, share)| Some((node?, share)));
                let members: Vec<_> = members.collect::<Option<_>>()?;
                group(RouteStrategy::Balance(Balance::Weighted), members, Failures::NONE)
            }
            ElementKind::Rate => {
                let parts = Parts::from(properties?);
                let limit = self.limit(&parts, &element.place, "properties.");
                let within = self.led(element, "success", graph);
                let beyond = self.unless_end(element, graph);
                let strategy = RouteStrategy::Limited(limit?, element.value.id.value().cloned());
                let members = std::iter::once(within?).chain(beyond?).map(|node| (node, 1.0)).collect();
                group(strategy, members, Failures::NONE)
            }
            ElementKind::Model => {
                let target = RouteNode::Target(self.model(properties?, &element.place, graph));
                match self.unless_end(element, graph)? {
                    None => Some(target),
                    Some(next) => {
                        let strategy = RouteStrategy::Balance(Balance::Priority);
                        group(strategy, vec![(target, 1.0), (next, 1.0)], graph.fallback.clone())
                    }
                }
            }
        }
    }

    /// Where the output `fallback` of an element leads: nowhere, if that is the end; `None` if it could not be read.
    fn unless_end(&mut self, element: &Spanned<Element>, graph: &mut Graph<'_>) -> Option<Option<RouteNode>> {
        let (_, to) = outputs(&element.value).into_iter().find(|(name, _)| name.value == "fallback")?;
        if is_end(&to.value, graph) {
            return Some(None);
        }
        self.led(element, "fallback", graph).map(Some)
    }

    fn model(&mut self, written: &ElementProperties, place: &Place, graph: &Graph<'_>) -> Target {
        let Inherited { override_params, retry, first_byte_timeout, is_auto: _ } = graph.inherited.clone();
        let (override_params, _) = self.without_model(override_params, place);
        let around = retry.clone().unwrap_or_else(|| graph.retry.clone());
        Target {
            tier: None,
            provider: written
                .provider
                .given()
                .map(|name| Spanned { value: name.value.0.clone(), place: name.place.clone() }),
            model: written.model.given().map(spanned),
            override_params,
            retry: written.retries.value().map(|times| Retry { retries: times.0, ..around }).or(retry),
            first_byte_timeout: written.timeout.value().map(|timeout| timeout.0).or(first_byte_timeout),
        }
    }
}

/// The outputs of an element: their names, and the ids that they lead to.
fn outputs(element: &Element) -> Vec<(&Spanned<String>, &Spanned<String>)> {
    let written = element.outputs.value().map(|outputs| outputs.0.as_slice()).unwrap_or_default();
    written.iter().filter_map(|(name, output)| Some((name, output.value.element_id.given()?))).collect()
}

/// What is written of an element's properties: the places, and the keys.
fn given(properties: Option<&ElementProperties>) -> Vec<(&Place, &'static str)> {
    let Some(all) = properties else { return Vec::new() };
    let others = [
        (all.condition.given().map(|given| &given.place), "condition"),
        (all.provider.given().map(|given| &given.place), "provider"),
        (all.model.given().map(|given| &given.place), "model"),
        (all.timeout.given().map(|given| &given.place), "timeout"),
        (all.retries.given().map(|given| &given.place), "retries"),
    ];
    let others = others.into_iter().filter_map(|(place, key)| Some((place?, key)));
    Parts::from(all).given().chain(others).collect()
}

/// `10%` or `10`, as what it is of a hundred.
fn share(name: &str) -> Option<f64> {
    let number = name.strip_suffix('%').unwrap_or(name).trim_end().parse::<f64>().ok()?;
    (number > 0.0 && number <= 100.0).then_some(number)
}

fn is_end(id: &str, graph: &Graph<'_>) -> bool {
    graph.elements.get(id).is_some_and(|element| element.value.kind.value() == Some(&ElementKind::End))
}
