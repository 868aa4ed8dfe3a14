//! What a request asks for by its routing, as rules judge it: each model that it names, with what it changes of the body
//! there. What the operator's routes and targets make of a name is the operator's, and not judged.

use gw_policy::condition::Spellings;
use gw_policy::plan::Node;

use super::resolve::Resolving;
use super::wish::{Changes, Wanted};
use crate::models::spellings;
use crate::routing::facts::Changed;

/// One of the models that a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AskedFor {
    pub(crate) model: Spellings,
    pub(crate) changes: Changed,
}

impl Resolving<'_> {
    /// All that the request asks for, each once.
    pub(super) fn asked_for(&self, named: Option<&str>) -> Vec<AskedFor> {
        let wish = self.wish;
        let mut all: Vec<AskedFor> = Vec::new();
        let mut add = |asked: AskedFor| {
            if !all.contains(&asked) {
                all.push(asked);
            }
        };
        match (&wish.tree, &wish.provider) {
            (Some(tree), _) => each(tree, &mut |wanted| add(self.of_target(wanted))),
            (None, Some(wanted)) => add(self.of_target(wanted)),
            (None, None) => {
                let overridden = wish.everywhere.override_params.get("model").and_then(|model| model.as_str());
                add(self.of_model(overridden.or(self.requested), &wish.everywhere));
            }
        }
        if wish.tree.is_none() && wish.provider.is_none() {
            wish.models.iter().for_each(|model| add(self.of_model(Some(model), &wish.everywhere)));
        }
        // With a preset behind it, the name is another than the model's.
        if named != self.requested
            && let Some(model) = self.requested
        {
            add(self.of_model(Some(model), &wish.everywhere));
        }
        all
    }

    fn of_target(&self, wanted: &Wanted) -> AskedFor {
        let model = self.model_of(wanted);
        let asked = self.of_model(model, &wanted.changes.clone().within(&self.wish.everywhere));
        match (&wanted.provider, model) {
            (Some(provider), Some(model)) => AskedFor { model: spellings::at(asked.model, provider, model), ..asked },
            _ => asked,
        }
    }

    fn of_model(&self, model: Option<&str>, changes: &Changes) -> AskedFor {
        let renamed = self.wish.byok.iter().flat_map(|key| &key.models);
        let there = renamed.filter(|(asked, _)| Some(&**asked) == model).map(|(_, there)| &**there);
        AskedFor {
            model: there.fold(spellings::of(model), spellings::also),
            changes: Changed::of(&changes.override_params, &changes.default_params),
        }
    }
}

fn each(node: &Node<Wanted>, told: &mut impl FnMut(&Wanted)) {
    node.targets().into_iter().for_each(told);
}
