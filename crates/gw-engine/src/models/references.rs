//! What a reference means that is no model: the provider of that name, else the target of that id, else all providers of
//! that type.

use std::collections::HashMap;
use std::sync::Arc;

use gw_core::Error;
use gw_policy::plan::Node;

use super::{Models, RouteTarget, Target};

impl Models {
    /// The same models, with targets that have ids.
    #[must_use]
    pub fn with_targets(self, targets: HashMap<Box<str>, RouteTarget>) -> Self {
        Self { targets, ..self }
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
        self.ruled(model, prefer, self.pick(&target.providers, model, prefer, true, &target.settings))
    }
}
