//! Legacy completions, whole and streamed.

use std::iter::once;
use std::ops::Range;

use bytes::Bytes;
use http::Response;

use super::model::{Answering, Quirk};
use super::problem::Problem;
use super::reply::{self, Reply, Said};
use super::request::{self, CHOICES_MAX, CompletionRequest, InputItem};
use super::text;
use super::wire::{Answer, DONE, Envelope, TextChoice, event, interleave, to_json};
use super::{SandboxBody, event_stream, whole_answer};

/// Answers a legacy completion request: `n` choices for each prompt.
pub(super) fn respond(answering: Answering, body: &Bytes) -> Result<Response<SandboxBody>, Problem> {
    let request: CompletionRequest = request::read(body)?;
    let repeat = request.options.choices()?;
    let prompts = request.prompt.items("prompt")?;
    if prompts.len() * repeat > CHOICES_MAX {
        return Err(Problem::invalid_field("prompt", format!("more than {CHOICES_MAX} choices were asked for.")));
    }
    let prompt_tokens = prompts.iter().map(InputItem::tokens).sum();
    let replies = prompts
        .iter()
        .flat_map(|prompt| std::iter::repeat_n(prompt, repeat))
        .map(|prompt| reply::to_prompt(answering.words, prompt, &request.options))
        .collect::<Result<Vec<Reply>, Problem>>()?;
    let usage = reply::usage(prompt_tokens, &replies.iter().collect::<Vec<_>>());
    let envelope = Envelope::new("cmpl", "text_completion", request.model, body);
    if request.options.stream != Some(true) {
        let choices = replies.iter().enumerate().map(|(index, reply)| reply.text_choice(index, None)).collect();
        let usage = (answering.quirk != Quirk::NoUsage).then_some(Some(usage));
        let answer = Answer { envelope: &envelope, choices, usage };
        return Ok(whole_answer(answering.quirk, SandboxBody::whole(to_json(&answer)), 0));
    }
    let usage = (request.options.include_usage() && answering.quirk != Quirk::NoUsage).then_some(usage);
    let pieces = replies.into_iter().enumerate().map(|(index, reply)| reply.pieces(index)).collect::<Vec<_>>();
    let last = usage.map(|usage| {
        event(&Answer { envelope: &envelope, choices: Vec::<TextChoice<'_>>::new(), usage: Some(Some(usage)) })
    });
    let events = interleave(pieces).map(move |(index, reply, piece)| {
        let choices = vec![reply.text_choice(index, Some(&piece))];
        event(&Answer { envelope: &envelope, choices, usage: usage.map(|_| None) })
    });
    let done = (answering.quirk != Quirk::NoDone).then_some(DONE);
    Ok(event_stream(answering, events.chain(last).chain(done)))
}

/// What stands in one chunk of one choice.
enum Piece {
    Text(Range<usize>),
    Finish,
}

impl Reply {
    fn text_choice(&self, index: usize, piece: Option<&Piece>) -> TextChoice<'_> {
        let whole = match &self.said {
            Said::Text(text) => text.as_ref(),
            Said::Calls(_) => "",
        };
        let (text, finish_reason) = match piece {
            None => (whole, Some(self.finish_reason)),
            Some(Piece::Text(range)) => (whole.get(range.clone()).unwrap_or_default(), None),
            Some(Piece::Finish) => ("", Some(self.finish_reason)),
        };
        TextChoice { text, index, logprobs: (), finish_reason }
    }

    fn pieces(self, index: usize) -> impl Iterator<Item = (usize, std::sync::Arc<Reply>, Piece)> + Send + 'static {
        let reply = std::sync::Arc::new(self);
        let text = match &reply.said {
            Said::Text(text) => std::sync::Arc::clone(text),
            Said::Calls(_) => "".into(),
        };
        let pieces = text::fragments(text).map(Piece::Text).chain(once(Piece::Finish));
        pieces.map(move |piece| (index, std::sync::Arc::clone(&reply), piece))
    }
}
