//! Chat completions, whole and streamed.

use std::iter::once;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::model::{Answering, Quirk};
use super::problem::Problem;
use super::reply::{self, Reply, Said};
use super::request::{self, ChatRequest};
use super::text::{self, FinishReason};
use super::wire::{
    Answer, AnswerMessage, CalledFunction, Choice, ChunkChoice, DONE, Delta, Envelope, ToolCall, UsageReport, event,
    interleave, to_json,
};
use super::{SandboxBody, event_stream, json, whole_answer, with_type};

const ASSISTANT: &str = "assistant";

/// Answers a chat request.
pub(super) fn respond(answering: Answering, body: &Bytes) -> Result<Response<SandboxBody>, Problem> {
    let request: ChatRequest = request::read(body)?;
    let choices = request.options.choices()?;
    let reply = reply::to_chat(answering.words, &request)?;
    let usage = reply::usage(reply::prompt_tokens(&request.messages), &vec![&reply; choices]);
    if request.options.stream != Some(true) {
        let envelope = Envelope::new("chatcmpl", "chat.completion", request.model, body);
        let usage = (answering.quirk != Quirk::NoUsage).then_some(Some(usage));
        let answer = Answer { envelope: &envelope, choices: (0..choices).map(|i| reply.choice(i)).collect(), usage };
        return Ok(whole_answer(answering.quirk, SandboxBody::whole(to_json(&answer)), 0));
    }
    let include_usage = request.options.include_usage() && answering.quirk != Quirk::NoUsage;
    let envelope = Envelope::new("chatcmpl", "chat.completion.chunk", request.model, body);
    let stream = Stream { envelope, reply, usage: include_usage.then_some(usage) };
    let done = (answering.quirk != Quirk::NoDone).then_some(DONE);
    Ok(event_stream(answering, stream.events(choices).chain(done)))
}

/// An answer of so many mebibytes, made while it is read.
pub(super) fn huge(mebibytes: u32, body: &Bytes) -> Response<SandboxBody> {
    const KIBIBYTES_64: &[u8] = &[b'a'; 64 << 10];
    let streamed = request::read::<ChatRequest>(body).is_ok_and(|request| request.options.stream == Some(true));
    let envelope = |object| Envelope::new("chatcmpl", object, format!("huge-{mebibytes}mb"), body);
    let blocks = u64::from(mebibytes) * 16;
    if streamed {
        let envelope = envelope("chat.completion.chunk");
        let text = std::str::from_utf8(KIBIBYTES_64).unwrap_or_default();
        let delta = Delta { content: Some(Some(text)), ..Delta::default() };
        let block = event(&chunk(&envelope, 0, delta, None));
        let finish = event(&chunk(&envelope, 0, Delta::default(), Some(FinishReason::Stop)));
        let events = (0..blocks).map(move |_| block.clone()).chain([finish, DONE]);
        return with_type(StatusCode::OK, "text/event-stream; charset=utf-8", SandboxBody::flowing(events));
    }
    // The empty text of a small answer is where the large one goes.
    let reply = Reply { said: Said::Text("".into()), finish_reason: FinishReason::Stop };
    let usage = Some(Some(UsageReport::new(1, u64::from(mebibytes) << 18)));
    let envelope = envelope("chat.completion");
    let small = to_json(&Answer { envelope: &envelope, choices: vec![reply.choice(0)], usage });
    let marker = br#""content":""#;
    let split = small.windows(marker.len()).position(|bytes| bytes == marker).map_or(0, |at| at + marker.len());
    let (head, tail) = (small.slice(..split), small.slice(split..));
    let text = (0..blocks).map(|_| Bytes::from_static(KIBIBYTES_64));
    json(StatusCode::OK, SandboxBody::flowing(once(head).chain(text).chain(once(tail))))
}

impl Reply {
    fn choice(&self, index: usize) -> Choice<'_> {
        let (content, tool_calls) = match &self.said {
            Said::Text(text) => (Some(text.as_ref()), Vec::new()),
            Said::Calls(calls) => {
                let whole = calls.iter().map(|call| ToolCall {
                    index: None,
                    id: Some(&call.id),
                    r#type: Some("function"),
                    function: CalledFunction { name: Some(&call.name), arguments: &call.arguments },
                });
                (None, whole.collect())
            }
        };
        let message = AnswerMessage { role: ASSISTANT, content, refusal: (), tool_calls };
        Choice { index, message, logprobs: (), finish_reason: self.finish_reason }
    }
}

/// A streamed answer.
struct Stream {
    envelope: Envelope,
    reply: Reply,
    /// The report at the end, if one is asked for.
    usage: Option<UsageReport>,
}

/// One chunk of one choice.
#[derive(Debug, Clone)]
enum Step {
    Role,
    Text(Range<usize>),
    Call(usize),
    Arguments(usize, Range<usize>),
    Finish,
}

impl Stream {
    fn events(self, choices: usize) -> impl Iterator<Item = Bytes> + Send + 'static {
        let steps: Vec<_> = (0..choices).map(|index| self.reply.steps().map(move |step| (index, step))).collect();
        let stream = Arc::new(self);
        let last = Arc::clone(&stream);
        interleave(steps)
            .map(move |(index, step)| stream.chunk(index, &step))
            .chain(once(()).filter_map(move |()| last.usage_chunk()))
    }

    fn chunk(&self, index: usize, step: &Step) -> Bytes {
        let delta = self.reply.delta(step);
        let finish_reason = matches!(step, Step::Finish).then_some(self.reply.finish_reason);
        let mut chunk = chunk(&self.envelope, index, delta, finish_reason);
        chunk.usage = self.usage.map(|_| None);
        event(&chunk)
    }

    fn usage_chunk(&self) -> Option<Bytes> {
        let usage = Some(Some(self.usage?));
        let choices = Vec::<ChunkChoice<'_>>::new();
        Some(event(&Answer { envelope: &self.envelope, choices, usage }))
    }
}

fn chunk<'a>(
    envelope: &'a Envelope,
    index: usize,
    delta: Delta<'a>,
    finish_reason: Option<FinishReason>,
) -> Answer<'a, ChunkChoice<'a>> {
    Answer { envelope, choices: vec![ChunkChoice { index, delta, logprobs: (), finish_reason }], usage: None }
}

impl Reply {
    /// The chunks of one choice, in order.
    fn steps(&self) -> impl Iterator<Item = Step> + Send + use<> {
        let (text, calls): (Arc<str>, _) = match &self.said {
            Said::Text(text) => (Arc::clone(text), Vec::new()),
            Said::Calls(calls) => ("".into(), calls.iter().map(|call| Arc::clone(&call.arguments)).collect()),
        };
        let calls = calls.into_iter().enumerate().flat_map(|(call, arguments)| {
            once(Step::Call(call)).chain(text::fragments(arguments).map(move |range| Step::Arguments(call, range)))
        });
        once(Step::Role).chain(text::fragments(text).map(Step::Text)).chain(calls).chain(once(Step::Finish))
    }

    fn delta(&self, step: &Step) -> Delta<'_> {
        match (&self.said, step) {
            (Said::Text(_), Step::Role) => Delta { role: Some(ASSISTANT), content: Some(Some("")), ..Delta::default() },
            (Said::Calls(_), Step::Role) => Delta { role: Some(ASSISTANT), content: Some(None), ..Delta::default() },
            (Said::Text(text), Step::Text(range)) => {
                Delta { content: Some(text.get(range.clone())), ..Delta::default() }
            }
            (Said::Calls(calls), Step::Call(index)) => {
                let call = calls.get(*index);
                let name = call.map(|call| call.name.as_str());
                let start = ToolCall {
                    index: Some(*index),
                    id: call.map(|call| call.id.as_str()),
                    r#type: Some("function"),
                    function: CalledFunction { name, arguments: "" },
                };
                Delta { tool_calls: Some([start]), ..Delta::default() }
            }
            (Said::Calls(calls), Step::Arguments(index, range)) => {
                let arguments = calls.get(*index).and_then(|call| call.arguments.get(range.clone()));
                let function = CalledFunction { name: None, arguments: arguments.unwrap_or_default() };
                let piece = ToolCall { index: Some(*index), function, ..ToolCall::default() };
                Delta { tool_calls: Some([piece]), ..Delta::default() }
            }
            (_, Step::Finish)
            | (Said::Text(_), Step::Call(_) | Step::Arguments(..))
            | (Said::Calls(_), Step::Text(_)) => Delta::default(),
        }
    }
}
