//! What neither dialect can say, found in one place.

use gw_core::chat::{ChatRequest, Media, Part, Text, ThinkingDisplay, Tool, ToolCall, ToolResult};

use crate::shared::losses::{Losses, NO_SUCH_PARAMETER, Param};

/// Adds the parameters of a request that neither dialect has.
pub(crate) fn of_request(request: &ChatRequest, losses: &mut Losses) {
    losses.lacking(
        request,
        &[
            Param::Verbosity,
            Param::Modalities,
            Param::Audio,
            Param::Prediction,
            Param::User,
            Param::Metadata,
            Param::CacheKey,
            Param::ParallelToolCalls,
            Param::Candidates,
            Param::LogitBias,
        ],
    );
    let tier = request.service_tier.as_deref();
    let display = request.thinking.as_ref().and_then(|thinking| thinking.display);
    for (is_asked, param) in [
        (tier.is_some_and(|tier| !matches!(tier, "auto" | "default")), "service_tier"),
        (display == Some(ThinkingDisplay::Omitted), "thinking.display"),
        (marks_cache(request), "cache_control"),
    ] {
        if is_asked {
            losses.drop(param, NO_SUCH_PARAMETER);
        }
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
