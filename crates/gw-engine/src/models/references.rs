//! What a reference means that is no model: the provider of that name, else the target of that id, else all providers of
//! that type.

use std::collections::HashMap;
use std::sync::Arc;

use gw_config::config;
use gw_core::Error;
use gw_policy::plan::Node;

use super::{Models, RouteTarget, Target};

impl Models {
    /// The same models, with targets that have ids.
    #[must_use]
    pub fn with_targets(self, targets: HashMap<Box<str>, RouteTarget>) -> Self {
        Self { targets, ..self }
    }

    /// The same models, while these providers could not be made.
    #[must_use]
    pub fn with_unready(self, providers: &[config::Provider]) -> Self {
        let types = providers.iter().filter_map(|one| self.catalog.get(&one.kind.value)).map(|entry| entry.id.as_str());
        let names = providers.iter().map(|one| one.name.value.as_str()).chain(types);
        Self { unready: names.map(Box::from).collect(), ..self }
    }

    /// The same models, of an environment beside the one in force: `development/`.
    #[must_use]
    pub fn with_prefix(self, prefix: &str) -> Self {
        Self { prefix: Box::from(prefix), ..self }
    }

    /// What stands before the names that this environment has in the process; nothing for the one in force.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether a reference means a provider that could not be made.
    pub(crate) fn is_unready(&self, reference: &str) -> bool {
        let is_type = |name: &str| self.catalog.get(name).is_some_and(|entry| self.unready.contains(entry.id.as_str()));
        self.unready.contains(reference) || is_type(reference)
    }

    /// What a reference means; no provider if it means nothing.
    pub fn meant(&self, reference: &str) -> RouteTarget {
        match self.target(reference) {
            Some(target) => target.clone(),
            None => RouteTarget { providers: self.named(reference), model: None, settings: Arc::clone(&self.plain) },
        }
    }

    /// The target of that id, unless a provider has the name.
    pub fn target(&self, id: &str) -> Option<&RouteTarget> {
        self.targets.get(id).filter(|_| !self.by_name.contains_key(id))
    }

    /// The ids of targets. Sorted.
    pub fn target_ids(&self) -> Vec<&str> {
        let mut ids: Vec<_> = self.targets.keys().map(|id| &**id).collect();
        ids.sort_unstable();
        ids
    }

    /// Where a target leads for a model, unless a rule leads elsewhere.
    ///
    /// # Errors
    /// `model_not_found` if it names no provider.
    pub(crate) fn at(&self, target: &RouteTarget, model: &str, prefer: Option<&str>) -> Result<Node<Target>, Error> {
        self.ruled(model, Some(model), prefer, self.pick(&target.providers, model, prefer, true, &target.settings))
    }
}
