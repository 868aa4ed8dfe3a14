//! Answers as OpenAI writes them: the types, and the two ways they reach the wire.

use bytes::Bytes;
use serde::Serialize;

use super::text::FinishReason;

/// When every answer and every model was made: a fixed time, so that answers are the same each time.
pub(super) const CREATED: u64 = 1_767_225_600;
/// How a stream says that it is complete.
pub(super) const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// What all parts of an answer repeat.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Envelope {
    pub(super) id: String,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: String,
    pub(super) system_fingerprint: &'static str,
}

/// An answer, or a chunk of one.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'a, C> {
    #[serde(flatten)]
    pub(super) envelope: &'a Envelope,
    pub(super) choices: Vec<C>,
    /// Not there; there but not known yet (`null`); known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Option<UsageReport>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Choice<'a> {
    pub(super) index: usize,
    pub(super) message: AnswerMessage<'a>,
    pub(super) logprobs: (),
    pub(super) finish_reason: FinishReason,
}

#[derive(Debug, Serialize)]
pub(super) struct AnswerMessage<'a> {
    pub(super) role: &'static str,
    pub(super) content: Option<&'a str>,
    pub(super) refusal: (),
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<ToolCall<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct ChunkChoice<'a> {
    pub(super) index: usize,
    pub(super) delta: Delta<'a>,
    pub(super) logprobs: (),
    pub(super) finish_reason: Option<FinishReason>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    /// Not there; there but empty (`null`); text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_calls: Option<[ToolCall<'a>; 1]>,
}

/// A whole tool call (without index), its beginning, or a piece of its arguments.
#[derive(Debug, Default, Serialize)]
pub(super) struct ToolCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#type: Option<&'static str>,
    pub(super) function: CalledFunction<'a>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct CalledFunction<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    pub(super) arguments: &'a str,
}

/// A choice of a legacy completion, whole or in part.
#[derive(Debug, Serialize)]
pub(super) struct TextChoice<'a> {
    pub(super) text: &'a str,
    pub(super) index: usize,
    pub(super) logprobs: (),
    pub(super) finish_reason: Option<FinishReason>,
}

/// What an answer used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct UsageReport {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl UsageReport {
    pub(super) fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
            prompt_tokens_details: PromptDetails { cached_tokens: 0 },
            completion_tokens_details: CompletionDetails { reasoning_tokens: 0 },
        }
    }
}

impl Envelope {
    /// The id stands for the request's bytes, so that it is the same for the same request.
    pub(super) fn new(id_prefix: &str, object: &'static str, model: String, body: &[u8]) -> Self {
        let id = format!("{id_prefix}-sandbox-{:016x}", super::text::fingerprint(body));
        Self { id, object, created: CREATED, model, system_fingerprint: "fp_sandbox" }
    }
}

/// The bytes of `value`, which has nothing in it that JSON cannot say.
pub(super) fn to_json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// `value` as an event of a stream.
pub(super) fn event(value: &impl Serialize) -> Bytes {
    let json = to_json(value);
    [b"data: ", json.as_ref(), b"\n\n"].concat().into()
}

/// Takes from each in turn, until all are empty.
pub(super) fn interleave<I: Iterator>(streams: impl IntoIterator<Item = I>) -> impl Iterator<Item = I::Item> {
    let mut turns: std::collections::VecDeque<I> = streams.into_iter().collect();
    std::iter::from_fn(move || {
        loop {
            let mut stream = turns.pop_front()?;
            if let Some(item) = stream.next() {
                turns.push_back(stream);
                return Some(item);
            }
        }
    })
}
