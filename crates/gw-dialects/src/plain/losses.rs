//! What neither dialect can say, found in one place.

use std::borrow::Cow;

use gw_core::chat::{
    ChatRequest, Family, Loss, Media, Modality, Part, Text, ThinkingDisplay, Tool, ToolCall, ToolResult,
};
use serde_json::{Map, Value};

/// What could not be said so far, each thing once.
#[derive(Debug, Default)]
pub(crate) struct Losses(Vec<Loss>);

impl Losses {
    /// Adds what is left out.
    pub(crate) fn drop(&mut self, param: impl Into<Cow<'static, str>>, why: &'static str) {
        self.push(Loss::dropped(param, why));
    }

    /// Adds what is said in another way.
    pub(crate) fn replace(&mut self, param: impl Into<Cow<'static, str>>, why: &'static str) {
        self.push(Loss::replaced(param, why));
    }

    /// Adds what is not there yet.
    pub(crate) fn push(&mut self, loss: Loss) {
        if !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }

    /// All of it.
    pub(crate) fn into_vec(self) -> Vec<Loss> {
        self.0
    }

    /// Adds the parameters of a request that neither dialect has.
    pub(crate) fn of_request(&mut self, request: &ChatRequest) {
        const ABSENT: &str = "the provider's format has no such parameter";
        let tier = request.service_tier.as_deref();
        let hides_thoughts = |display| display == ThinkingDisplay::Omitted;
        for (is_asked, param) in [
            (request.verbosity.is_some(), "verbosity"),
            (request.modalities.iter().any(|modality| *modality != Modality::Text), "modalities"),
            (request.audio.is_some(), "audio"),
            (request.prediction.is_some(), "prediction"),
            (tier.is_some_and(|tier| !matches!(tier, "auto" | "default")), "service_tier"),
            (request.user.is_some(), "user"),
            (!request.metadata.is_empty(), "metadata"),
            (request.cache_key.is_some(), "prompt_cache_key"),
            (request.parallel_tool_calls == Some(false), "parallel_tool_calls"),
            (request.sampling.candidates.is_some_and(|count| count > 1), "n"),
            (!request.sampling.logit_bias.is_empty(), "logit_bias"),
            (
                request.thinking.as_ref().and_then(|thinking| thinking.display).is_some_and(hides_thoughts),
                "thinking.display",
            ),
            (marks_cache(request), "cache_control"),
        ] {
            if is_asked {
                self.drop(param, ABSENT);
            }
        }
    }

    /// The members of a request that its client wrote for this family; those for another are losses.
    pub(crate) fn own_extra<'a>(&mut self, request: &'a ChatRequest, family: Family) -> Option<&'a Map<String, Value>> {
        if request.extra.family == family {
            return Some(&request.extra.members);
        }
        for name in request.extra.members.keys() {
            self.drop(name.clone(), "the provider's format has no such parameter");
        }
        None
    }
}

fn marks_cache(request: &ChatRequest) -> bool {
    let tool = |tool: &Tool| matches!(tool, Tool::Function(function) if function.cache.is_some());
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    request.tools.iter().any(tool) || parts.into_iter().any(marks)
}

fn marks(part: &Part) -> bool {
    match part {
        Part::Text(Text { cache, .. }) | Part::Media(Media { cache, .. }) | Part::ToolCall(ToolCall { cache, .. }) => {
            cache.is_some()
        }
        // Within a result stand texts and media, so that this goes no deeper.
        Part::ToolResult(ToolResult { cache, content, .. }) => {
            cache.is_some() || content.iter().any(|part| !matches!(part, Part::ToolResult(_)) && marks(part))
        }
        _ => false,
    }
}
