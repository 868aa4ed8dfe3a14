//! What a dialect cannot say, gathered in one place.

use std::borrow::Cow;

use gw_core::chat::{ChatRequest, Extra, Family, Loss, Modality};
use serde_json::{Map, Value};

use crate::shared::unknown;

/// Why a parameter is left out that a dialect does not have.
pub(crate) const NO_SUCH_PARAMETER: &str = "the provider's format has no such parameter";

/// What could not be said so far, each thing once.
#[derive(Debug, Default)]
pub(crate) struct Losses(Vec<Loss>);

impl Losses {
    /// Adds what is left out.
    pub(crate) fn drop(&mut self, param: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) {
        self.push(Loss::dropped(param, why));
    }

    /// Adds what is said in another way.
    pub(crate) fn replace(&mut self, param: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) {
        self.push(Loss::replaced(param, why));
    }

    /// Adds what is not there yet.
    pub(crate) fn push(&mut self, loss: Loss) {
        if !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }

    /// Adds those parameters, which the dialect does not have, that the request asks for.
    pub(crate) fn lacking(&mut self, request: &ChatRequest, params: &[Param]) {
        for param in params.iter().filter(|param| param.is_asked(request)) {
            self.push(match (param, request.sampling.top_k) {
                (Param::TopK, Some(count)) => top_k(count, NO_SUCH_PARAMETER),
                _ => Loss::dropped(param.name(), NO_SUCH_PARAMETER),
            });
        }
    }

    /// The members of a request that its client wrote for this family; those for another are losses, and so are those of
    /// its messages and tools.
    pub(crate) fn own_extra<'a>(&mut self, request: &'a ChatRequest, family: Family) -> Option<&'a Map<String, Value>> {
        unknown::lose(request, family, self);
        self.extra_of(&request.extra, family)
    }

    /// The members that a client wrote for this family; those for another are losses.
    pub(crate) fn extra_of<'a>(&mut self, extra: &'a Extra, family: Family) -> Option<&'a Map<String, Value>> {
        let own = extra.of(family);
        if own.is_none() {
            extra.members.keys().for_each(|name| self.drop(name.clone(), NO_SUCH_PARAMETER));
        }
        own
    }

    /// All of it.
    pub(crate) fn into_vec(self) -> Vec<Loss> {
        self.0
    }
}

impl From<Vec<Loss>> for Losses {
    fn from(losses: Vec<Loss>) -> Self {
        let mut distinct = Self::default();
        distinct.extend(losses);
        distinct
    }
}

impl Extend<Loss> for Losses {
    fn extend<T: IntoIterator<Item = Loss>>(&mut self, losses: T) {
        losses.into_iter().for_each(|loss| self.push(loss));
    }
}

/// The loss of `top_k`. What stands behind the forty likeliest tokens is hardly ever chosen: agents send such counts as
/// their defaults.
pub(crate) fn top_k(count: u64, why: &'static str) -> Loss {
    const HARDLY_CHOSEN: u64 = 40;
    if count >= HARDLY_CHOSEN { Loss::ignored("top_k", why) } else { Loss::dropped("top_k", why) }
}

/// Parameters that some dialects do not have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Param {
    Audio,
    CacheKey,
    Candidates,
    FrequencyPenalty,
    LogitBias,
    Logprobs,
    Metadata,
    Modalities,
    ParallelToolCalls,
    Prediction,
    PresencePenalty,
    Seed,
    Stop,
    TopK,
    User,
    Verbosity,
}

impl Param {
    /// What OpenAI calls it.
    const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::CacheKey => "prompt_cache_key",
            Self::Candidates => "n",
            Self::FrequencyPenalty => "frequency_penalty",
            Self::LogitBias => "logit_bias",
            Self::Logprobs => "logprobs",
            Self::Metadata => "metadata",
            Self::Modalities => "modalities",
            Self::ParallelToolCalls => "parallel_tool_calls",
            Self::Prediction => "prediction",
            Self::PresencePenalty => "presence_penalty",
            Self::Seed => "seed",
            Self::Stop => "stop",
            Self::TopK => "top_k",
            Self::User => "user",
            Self::Verbosity => "verbosity",
        }
    }

    /// Whether anything is asked for that would not happen anyway.
    fn is_asked(self, request: &ChatRequest) -> bool {
        let sampling = &request.sampling;
        match self {
            Self::Audio => request.audio.is_some(),
            Self::CacheKey => request.cache_key.is_some(),
            Self::Candidates => sampling.candidates.is_some_and(|count| count > 1),
            Self::FrequencyPenalty => sampling.frequency_penalty.is_some_and(|penalty| penalty != 0.0),
            Self::LogitBias => !sampling.logit_bias.is_empty(),
            Self::Logprobs => sampling.logprobs.is_some(),
            Self::Metadata => !request.metadata.is_empty(),
            Self::Modalities => request.modalities.iter().any(|modality| *modality != Modality::Text),
            Self::ParallelToolCalls => request.parallel_tool_calls == Some(false),
            Self::Prediction => request.prediction.is_some(),
            Self::PresencePenalty => sampling.presence_penalty.is_some_and(|penalty| penalty != 0.0),
            Self::Seed => sampling.seed.is_some(),
            Self::Stop => !sampling.stop.is_empty(),
            Self::TopK => sampling.top_k.is_some(),
            Self::User => request.user.is_some(),
            Self::Verbosity => request.verbosity.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use gw_core::chat::Sampling;

    use super::*;

    #[test]
    fn what_is_asked_and_happens_anyway_is_no_loss() {
        let params = [Param::Candidates, Param::PresencePenalty, Param::Modalities, Param::ParallelToolCalls];
        let asked = |count, penalty, modality, parallel| {
            let sampling = Sampling { candidates: Some(count), presence_penalty: Some(penalty), ..Sampling::default() };
            let request = ChatRequest {
                sampling,
                modalities: vec![modality],
                parallel_tool_calls: Some(parallel),
                ..ChatRequest::default()
            };
            let mut losses = Losses::default();
            losses.lacking(&request, &params);
            losses.lacking(&request, &params);
            losses.into_vec().len()
        };
        assert_eq!(asked(1, 0.0, Modality::Text, true), 0);
        assert_eq!(asked(2, 0.5, Modality::Audio, false), params.len());
    }

    #[test]
    fn members_for_another_family_are_losses() {
        let members = Map::from_iter([("x".to_owned(), Value::Null)]);
        let extra = Extra { family: Family::Gemini, members };
        let request = ChatRequest { extra, ..ChatRequest::default() };
        let mut losses = Losses::default();
        assert!(losses.own_extra(&request, Family::Gemini).is_some());
        assert!(losses.own_extra(&request, Family::Ollama).is_none());
        assert_eq!(losses.into_vec(), [Loss::dropped("x", NO_SUCH_PARAMETER)]);
    }
}
