//! What stands behind a model's name: `MODEL:nitro`, `MODEL:free:online`. OpenRouter has invented the words. A name that
//! means a model as it stands means that; OpenRouter is always sent its own words.

use std::sync::Arc;

use gw_core::{Dimension, Error, ErrorCode, Rate};
use gw_policy::balance::Balance;
use gw_policy::credentials::Offer;
use gw_policy::plan::Node;

use super::arrange::Said;
use super::narrow;
use super::resolve::Resolving;
use crate::models::{Choice, Target, TargetSettings};
use crate::openrouter;
use crate::search;
use crate::snapshot::{Provider, Snapshot};

/// Every suffix.
const WORDS: [&str; 7] = ["nitro", "floor", "exacto", "free", "online", "thinking", "extended"];

/// What a suffix asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suffix {
    /// The quickest writer.
    Nitro,
    /// The cheapest.
    Floor,
    /// Whose calls go wrong least often.
    Exacto,
    /// Those that cost nothing.
    Free,
    /// A search of the web.
    Online,
    /// A model of OpenRouter's that thinks, or has a longer context: another name than the plain one's, and nobody else's.
    OpenRouters,
}

impl Suffix {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "nitro" => Self::Nitro,
            "floor" => Self::Floor,
            "exacto" => Self::Exacto,
            "free" => Self::Free,
            "online" => Self::Online,
            "thinking" | "extended" => Self::OpenRouters,
            _ => return None,
        })
    }
}

/// Whether a model's name ends in a suffix.
pub(super) fn is_in(name: &str) -> bool {
    name.rsplit_once(':').is_some_and(|(_, word)| Suffix::of(word).is_some())
}

/// A name without its suffixes.
pub(crate) fn without_suffixes(name: &str) -> &str {
    split(name).0
}

/// A name without its suffixes, and these, the last one first.
pub(super) fn split(name: &str) -> (&str, Vec<Suffix>) {
    let (mut bare, mut found) = (name, Vec::new());
    while let Some((rest, word)) = bare.rsplit_once(':').filter(|(rest, _)| !rest.is_empty())
        && let Some(suffix) = Suffix::of(word)
    {
        found.push(suffix);
        bare = rest;
    }
    (bare, found)
}

impl Resolving<'_> {
    /// What a model's name stands for, and its name without what is said behind it.
    pub(super) fn model<'n>(&self, name: &'n str, said: &mut Said) -> (Result<Node<Target>, Error>, &'n str) {
        let models = &self.snapshot.models;
        let (bare, suffixes) = split(name);
        if suffixes.is_empty() || models.is_written(name) {
            return (models.resolve(Some(name), self.prefer), name);
        }
        if is_whole(self.snapshot, name) {
            return (models.resolve(Some(name), self.prefer), name);
        }
        for suffix in &suffixes {
            said.hear(*suffix);
        }
        let words = name.get(bare.len()..).unwrap_or_default();
        let found = models.resolve_spelled(Some(bare), Some(name), self.prefer).and_then(|node| {
            match suffixes.contains(&Suffix::OpenRouters) {
                true => narrow::keep(&node, &mut |target| openrouter::is(&target.choice.provider))
                    .ok_or_else(|| only_openrouters(words)),
                false => Ok(node),
            }
        });
        said.suffixes = Box::from(words);
        (found, bare)
    }

    /// The offers, of which OpenRouter is told the suffixes in its own words, and others are asked for what they mean.
    pub(super) fn suffixed(&self, offers: Node<Offer<Target>>, said: &Said) -> Node<Offer<Target>> {
        if said.suffixes.is_empty() {
            return offers;
        }
        let suffixed = |target: &Target| self.suffixed_target(target, said);
        offers.map(&mut |offer| Offer {
            own: offer.own.iter().map(suffixed).collect(),
            shared: offer.shared.as_ref().map(suffixed),
        })
    }

    fn suffixed_target(&self, target: &Target, said: &Said) -> Target {
        if openrouter::is(&target.choice.provider) {
            let model = Arc::from(format!("{}{}", target.choice.model, said.suffixes));
            return Target { choice: Choice { model, ..target.choice.clone() }, ..target.clone() };
        }
        if !said.searches {
            return target.clone();
        }
        let search = self.wish.search.as_ref().map_or_else(search::plain, |search| Arc::clone(&search.tool));
        let settings = TargetSettings { search: Some(search), ..TargetSettings::clone(&target.settings) };
        Target { choice: target.choice.clone(), settings: Arc::new(settings) }
    }
}

impl Said {
    fn hear(&mut self, suffix: Suffix) {
        match suffix {
            Suffix::Nitro => self.sort = Some(Balance::Throughput),
            Suffix::Floor => self.sort = Some(Balance::LeastCost),
            Suffix::Exacto => self.sort = Some(Balance::Reliable),
            Suffix::Free => self.price_max = vec![(Dimension::Input, Rate(0)), (Dimension::Output, Rate(0))],
            Suffix::Online => self.searches = true,
            Suffix::OpenRouters => {}
        }
    }
}

/// Whether a name with suffixes means a model as it stands, wherever it leads. Rules are not looked at: they lead elsewhere
/// whatever the name is.
pub(super) fn is_whole(snapshot: &Snapshot, name: &str) -> bool {
    let is_there = |target: &&Target| {
        let Choice { provider, model, .. } = &target.choice;
        let facts = || snapshot.pricing.facts(provider, model);
        has_own_suffixes(provider) || facts().is_some_and(|facts| *facts.model.name == **model)
    };
    let found = snapshot.models.unruled(name, Some(name), None);
    found.is_ok_and(|whole| whole.targets().iter().all(is_there))
}

/// The suffix that somebody may have meant by a word behind a model's name.
pub(crate) fn near(word: &str) -> Option<&'static str> {
    const LIKENESS_MIN: f64 = 0.88;
    let word = word.to_ascii_lowercase();
    let likeness = |suffix: &&str| strsim::jaro_winkler(&word, suffix);
    let nearest = WORDS.into_iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (likeness(&nearest) >= LIKENESS_MIN).then_some(nearest)
}

/// Whether a provider's own names of models may end as OpenRouter's do: its own, and those that an operator gives.
pub(crate) fn has_own_suffixes(provider: &Provider) -> bool {
    const NAMED_BY_THE_OPERATOR: [&str; 6] =
        ["llama-cpp", "lm-studio", "ollama", "ollama-native", "openai-compatible", "vllm"];
    openrouter::is(provider) || NAMED_BY_THE_OPERATOR.contains(&provider.entry.id.as_str())
}

pub(super) fn only_openrouters(words: &str) -> Error {
    let message = format!(
        "`{words}` behind a model's name is a model of OpenRouter's own, and no OpenRouter is configured for it; leave it out, \
         and ask for thoughts with `reasoning_effort` (docs/routing-requests.md)"
    );
    Error::new(ErrorCode::ModelNotFound, message).with_param("model")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_read_from_the_end_and_what_is_none_ends_the_name() {
        use Suffix::{Exacto, Floor, Free, Nitro, Online, OpenRouters};
        for (name, bare, suffixes) in [
            ("openai/gpt-4o", "openai/gpt-4o", vec![]),
            ("openai/gpt-4o:nitro", "openai/gpt-4o", vec![Nitro]),
            ("a/b:free:online", "a/b", vec![Online, Free]),
            ("m:exacto:floor", "m", vec![Floor, Exacto]),
            ("m:thinking", "m", vec![OpenRouters]),
            ("m:extended", "m", vec![OpenRouters]),
            ("llama3:8b", "llama3:8b", vec![]),
            ("llama3:8b:online", "llama3:8b", vec![Online]),
            ("m:online:8b", "m:online:8b", vec![]),
            (":online", ":online", vec![]),
            ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", vec![]),
        ] {
            assert_eq!(split(name), (bare, suffixes), "{name}");
        }
        assert!(WORDS.iter().all(|word| Suffix::of(word).is_some()));
        assert_eq!((near("ONLINE"), near("flor"), near("8b"), near("")), (Some("online"), Some("floor"), None, None));
        assert!(is_in("m:online") && !is_in("m:Online") && !is_in("online") && !is_in("m:8b"));
    }
}
