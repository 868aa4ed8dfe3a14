//! The mock's answers: one piece, or a timed stream of events.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::exchange::{Directive, Wire, bedrock, openai};
use crate::template::Template;

/// The texts of all answers, prepared once for each thread.
pub(super) struct Texts {
    pub(super) embeddings: Template,
    openai: ChatTexts,
    anthropic: ChatTexts,
    gemini: ChatTexts,
    bedrock: ChatTexts,
}

/// The texts of one format.
pub(super) struct ChatTexts {
    pub(super) chat: Template,
    opening: Template,
    event: Template,
    ending: Template,
    ending_with_usage: Template,
}

impl Texts {
    /// Prepares them.
    pub(super) fn prepare() -> Self {
        Self {
            embeddings: Template::new(openai::embeddings()),
            openai: ChatTexts::prepare(Wire::OpenAi),
            anthropic: ChatTexts::prepare(Wire::Anthropic),
            gemini: ChatTexts::prepare(Wire::Gemini),
            bedrock: ChatTexts::prepare(Wire::Bedrock),
        }
    }

    /// Those of one format.
    pub(super) fn of(&self, wire: Wire) -> &ChatTexts {
        match wire {
            Wire::OpenAi => &self.openai,
            Wire::Anthropic => &self.anthropic,
            Wire::Gemini => &self.gemini,
            Wire::Bedrock => &self.bedrock,
        }
    }
}

impl ChatTexts {
    fn prepare(wire: Wire) -> Self {
        let texts = wire.texts();
        Self {
            chat: Template::new(texts.chat),
            opening: Template::new(texts.opening),
            event: Template::new(texts.event),
            ending: Template::new(texts.ending),
            ending_with_usage: Template::new(texts.ending_with_usage),
        }
    }
}

/// The body of an answer.
pub(crate) enum Answer {
    /// All of it at once; empty when sent.
    Whole(Bytes),
    /// One event after the other.
    Stream(Box<Events>),
}

/// A stream that is being sent.
pub(crate) struct Events {
    texts: Rc<Texts>,
    wire: Wire,
    directive: Directive,
    usage: bool,
    next: Next,
    /// Ends a pause between two events.
    timer: Pin<Box<Sleep>>,
}

/// What happens next. The numbers are those of the next event with text.
#[derive(Debug, Clone, Copy)]
enum Next {
    Opening,
    Text(u32),
    Pause(u32),
    Yield(u32),
    Ending,
    Nothing,
}

impl Answer {
    /// A stream as the directive wants it.
    pub(super) fn stream(texts: Rc<Texts>, wire: Wire, directive: Directive, usage: bool) -> Self {
        let timer = Box::pin(sleep_until(Instant::now()));
        Self::Stream(Box::new(Events { texts, wire, directive, usage, next: Next::Opening, timer }))
    }
}

impl Events {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let index = match self.next {
            Next::Opening => {
                self.next = Next::Text(1);
                let opening = self.say(&self.texts.of(self.wire).opening, 0);
                if !opening.is_empty() {
                    return Poll::Ready(Some(opening));
                }
                1
            }
            Next::Text(index) => index,
            Next::Pause(index) => {
                ready!(self.timer.as_mut().poll(context));
                index
            }
            // One return to the runtime between two events: each leaves in a write of its own.
            Next::Yield(index) => {
                self.next = Next::Text(index);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Next::Ending => {
                self.next = Next::Nothing;
                let texts = self.texts.of(self.wire);
                let ending = if self.usage { &texts.ending_with_usage } else { &texts.ending };
                return Poll::Ready(Some(self.say(ending, 0)));
            }
            Next::Nothing => return Poll::Ready(None),
        };
        self.next = self.after(index);
        Poll::Ready(Some(self.say(&self.texts.of(self.wire).event, u64::from(index))))
    }

    fn say(&self, text: &Template, index: u64) -> Bytes {
        let text = text.filled(self.directive.nonce, index);
        if self.wire == Wire::Bedrock { bedrock::frames(&text) } else { text }
    }

    fn after(&mut self, index: u32) -> Next {
        if index >= self.directive.chunks {
            return Next::Ending;
        }
        if self.directive.pause_ms == 0 {
            return Next::Yield(index + 1);
        }
        let pause = Duration::from_millis(u64::from(self.directive.pause_ms));
        self.timer.as_mut().reset(Instant::now() + pause);
        Next::Pause(index + 1)
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = match &mut *self {
            Self::Whole(body) if body.is_empty() => None,
            Self::Whole(body) => Some(mem::take(body)),
            Self::Stream(events) => ready!(events.poll(context)),
        };
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::exchange::{Exchange, Shape, Stream};

    async fn sent(stream: Stream) -> Bytes {
        let directive = Directive { nonce: 7, chunks: stream.chunks, pause_ms: stream.pause_ms };
        let answer = Answer::stream(Rc::new(Texts::prepare()), Wire::OpenAi, directive, stream.usage);
        answer.collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn what_is_streamed_is_what_the_client_expects() {
        for stream in [
            Stream { chunks: 3, pause_ms: 0, usage: true },
            Stream { chunks: 3, pause_ms: 1, usage: false },
            Stream { chunks: 1, pause_ms: 0, usage: false },
        ] {
            let expected = Exchange::openai(Shape::Stream(stream), 1024).answer();
            assert_eq!(sent(stream).await, Template::new(expected).filled(7, 0));
        }
    }
}
