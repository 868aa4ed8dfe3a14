//! The text of an answer so far, and how the rest of it that somebody else gives is joined to it: the client reads one
//! answer, in which nothing is said twice and nothing is missing.

use gw_core::chat::{Block, ChatRequest, Delta, Event, Modality, OutputFormat, Part, Role, ThinkingMode};
use gw_core::chat::{Effort, Thinking};

use crate::budget::Taken;

/// A longer text is not continued: it is held, and sent to the provider again.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// How many times an answer is continued.
const RESUMED_MAX: u8 = 2;

/// What has been said of an answer that may be continued, as the client has read it.
pub(crate) struct Begun {
    text: String,
    held: Taken,
    /// The number of the next block.
    next: u32,
    /// The number of the block that is open.
    open: Option<u32>,
    /// Whether that is all there is: thoughts, calls and pictures cannot be gone on with.
    is_text_alone: bool,
    is_finished: bool,
    /// Whether it has broken off, and the client has not been told yet.
    waits: bool,
    resumed: u8,
    /// Tokens that earlier attempts have reported for their parts of the answer.
    earlier_tokens: u64,
    /// Tokens that the present attempt has reported.
    tokens: u64,
    joint: Option<Joint>,
}

/// Where the present attempt's part begins.
#[derive(Default)]
struct Joint {
    /// The block that is open: its number in the attempt's own answer, and in the client's.
    block: Option<(u32, u32)>,
    /// Whether the attempt has begun a block.
    has_begun: bool,
    /// What is held of its text until it is seen whether that only repeats what it was given.
    held: String,
    /// The text that it was given, if it may repeat it.
    repeats: Option<String>,
    /// White space that the client has read and the attempt was not given: it may say it again.
    owed: String,
}

impl Begun {
    /// Before an answer to that; `None` if no answer to it could be continued.
    pub(crate) fn of(request: &ChatRequest, held: Taken) -> Option<Self> {
        is_continuable(request).then(|| Self {
            text: String::new(),
            held,
            next: 0,
            open: None,
            is_text_alone: true,
            is_finished: false,
            waits: false,
            resumed: 0,
            earlier_tokens: 0,
            tokens: 0,
            joint: None,
        })
    }

    /// Whether somebody could go on.
    pub(crate) fn may_go_on(&self) -> bool {
        self.is_text_alone && !self.is_finished && self.resumed < RESUMED_MAX && !self.prefix().is_empty()
    }

    /// What whoever goes on is given: no vendor wants white space at its end, and models do not do well with it.
    pub(crate) fn prefix(&self) -> &str {
        self.text.trim_end()
    }

    /// It has broken off.
    pub(crate) fn wait(&mut self) {
        self.waits = true;
    }

    /// Whether it has broken off, and the client has not been told yet.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// Another attempt goes on, which was given the text so far. Some begin with it.
    pub(crate) fn go_on(&mut self, repeats: bool) {
        let prefix = self.prefix();
        let owed = self.text.get(prefix.len()..).unwrap_or_default().to_owned();
        let repeats = repeats.then(|| prefix.to_owned());
        self.joint = Some(Joint { owed, repeats, ..Joint::default() });
        self.earlier_tokens = self.earlier_tokens.saturating_add(std::mem::take(&mut self.tokens));
        self.resumed += 1;
        self.waits = false;
    }

    /// Takes what the present attempt says; `out` gets what the client is told.
    pub(crate) fn pass(&mut self, event: Event, out: &mut Vec<Event>) {
        match self.joint.take() {
            None => self.tell(event, out),
            Some(mut joint) => {
                self.join(event, &mut joint, out);
                self.joint = Some(joint);
            }
        }
    }

    fn join(&mut self, event: Event, joint: &mut Joint, out: &mut Vec<Event>) {
        match event {
            // The client's answer has begun long ago.
            Event::Start { .. } => {}
            Event::BlockStart { candidate: 0, index, block } => {
                let is_first = !std::mem::replace(&mut joint.has_begun, true);
                let open = self.open.filter(|_| is_first && block == Block::Text);
                let number = open.unwrap_or_else(|| {
                    self.close(out);
                    let index = self.next;
                    self.tell(Event::BlockStart { index, candidate: 0, block }, out);
                    index
                });
                joint.block = Some((index, number));
            }
            Event::Delta { index, delta } => {
                let Some((_, number)) = joint.block.filter(|(theirs, _)| *theirs == index) else { return };
                let delta = match delta {
                    Delta::Text(text) => Delta::Text(joint.new_of(text)),
                    delta => delta,
                };
                if !matches!(&delta, Delta::Text(text) if text.is_empty()) {
                    self.tell(Event::Delta { index: number, delta }, out);
                }
            }
            Event::BlockStop { index } => {
                let Some((_, number)) = joint.block.take_if(|(theirs, _)| *theirs == index) else { return };
                let rest = joint.rest();
                if !rest.is_empty() {
                    self.tell(Event::Delta { index: number, delta: Delta::Text(rest) }, out);
                }
                self.tell(Event::BlockStop { index: number }, out);
            }
            Event::Finish { candidate: 0, finish } => {
                self.close(out);
                self.tell(Event::Finish { candidate: 0, finish }, out);
            }
            Event::Usage(mut usage) => {
                self.tokens = self.tokens.max(usage.output_tokens);
                usage.output_tokens = usage.output_tokens.saturating_add(self.earlier_tokens);
                out.push(Event::Usage(usage));
            }
            Event::ServiceTier(_) | Event::Extra(_) => out.push(event),
            // One answer was asked for.
            Event::BlockStart { .. } | Event::Finish { .. } => {}
        }
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if let Some(index) = self.open {
            self.tell(Event::BlockStop { index }, out);
        }
    }

    /// Tells the client, and remembers what it was told.
    fn tell(&mut self, event: Event, out: &mut Vec<Event>) {
        match &event {
            Event::BlockStart { index, candidate, block } => {
                self.is_text_alone &= *candidate == 0 && *block == Block::Text;
                (self.next, self.open) = (index.saturating_add(1), Some(*index));
            }
            Event::Delta { delta: Delta::Text(text), .. } => self.remember(text),
            Event::Delta { .. } => self.is_text_alone = false,
            Event::BlockStop { .. } => self.open = None,
            Event::Finish { .. } => self.is_finished = true,
            Event::Usage(usage) => self.tokens = self.tokens.max(usage.output_tokens),
            Event::Start { .. } | Event::ServiceTier(_) | Event::Extra(_) => {}
        }
        out.push(event);
    }

    fn remember(&mut self, text: &str) {
        if !self.is_text_alone {
            return;
        }
        let is_short = self.text.len() + text.len() <= TEXT_BYTES_MAX;
        if is_short && self.held.hold(self.text.len(), text.len()).is_ok() {
            self.text.push_str(text);
        } else {
            self.is_text_alone = false;
            self.text = String::new();
        }
    }
}

impl Joint {
    /// What of more text is new to the client.
    fn new_of(&mut self, text: String) -> String {
        let mut text = text;
        if let Some(given) = &self.repeats {
            self.held.push_str(&text);
            if given.len() > self.held.len() && given.starts_with(&self.held) {
                return String::new();
            }
            text = std::mem::take(&mut self.held);
            if let Some(rest) = text.strip_prefix(given.as_str()) {
                text = rest.to_owned();
            }
            self.repeats = None;
        }
        self.unowed(text)
    }

    /// What was held and repeats nothing after all.
    fn rest(&mut self) -> String {
        self.repeats = None;
        let held = std::mem::take(&mut self.held);
        self.unowed(held)
    }

    /// Without the white space that the client has read already.
    fn unowed(&mut self, text: String) -> String {
        if self.owed.is_empty() || text.is_empty() {
            return text;
        }
        let both = self.owed.chars().zip(text.chars());
        let same: usize = both.take_while(|(owed, said)| owed == said).map(|(owed, _)| owed.len_utf8()).sum();
        let rest = text.get(same..).unwrap_or_default().to_owned();
        // Whoever has said something else says that no more.
        self.owed = if rest.is_empty() { self.owed.split_off(same) } else { String::new() };
        rest
    }
}

/// Whether an answer to that could be continued: one text, of which nothing is told but the text.
fn is_continuable(request: &ChatRequest) -> bool {
    let sampling = &request.sampling;
    let thinks = |thinking: &Thinking| {
        thinking.mode != Some(ThinkingMode::Disabled)
            && (thinking.mode.is_some()
                || thinking.budget_tokens.is_some_and(|tokens| tokens > 0)
                || thinking.effort.is_some_and(|effort| effort != Effort::None))
    };
    let ends_with_answer = request.messages.last().is_none_or(|last| {
        // There is a text already that the model is to go on with.
        last.role == Role::Assistant && !last.parts.iter().any(|part| matches!(part, Part::ToolResult(_)))
    });
    sampling.candidates.is_none_or(|candidates| candidates <= 1)
        && sampling.logprobs.is_none()
        && request.output == OutputFormat::Text
        && request.audio.is_none()
        && request.modalities.iter().all(|modality| *modality == Modality::Text)
        && !request.thinking.as_ref().is_some_and(thinks)
        && !ends_with_answer
}

#[cfg(test)]
mod tests {
    use gw_core::Usage;
    use gw_core::chat::event::check;
    use gw_core::chat::{Finish, Message};

    use super::*;
    use crate::budget::Budget;

    fn asked() -> ChatRequest {
        ChatRequest { messages: vec![Message::new(Role::User, vec!["tell me".into()])], ..ChatRequest::default() }
    }

    fn begun() -> Begun {
        Begun::of(&asked(), Budget::new("bytes", 1 << 30).nothing()).unwrap()
    }

    fn start(index: u32) -> Event {
        Event::BlockStart { index, candidate: 0, block: Block::Text }
    }

    fn said(index: u32, text: &str) -> Event {
        Event::Delta { index, delta: Delta::Text(text.to_owned()) }
    }

    fn opening() -> Event {
        Event::Start { id: "1".to_owned(), model: "m".to_owned(), created_s: None }
    }

    fn finish() -> Event {
        Event::Finish { candidate: 0, finish: Finish::default() }
    }

    /// What a client reads of an answer in these parts, each of which but the last breaks off.
    fn read(repeats: bool, parts: &[&[Event]]) -> (String, Vec<Event>) {
        let (mut begun, mut out) = (begun(), Vec::new());
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                assert!(begun.may_go_on(), "{place}");
                begun.go_on(repeats);
            }
            part.iter().for_each(|event| begun.pass(event.clone(), &mut out));
        }
        let texts = out.iter().filter_map(|event| match event {
            Event::Delta { delta: Delta::Text(text), .. } => Some(text.as_str()),
            _ => None,
        });
        (texts.collect(), out)
    }

    #[test]
    fn two_parts_are_one_answer_that_keeps_to_the_grammar() {
        let first = [opening(), start(0), said(0, "Once upon"), said(0, " a ti")];
        let closed = [opening(), start(0), said(0, "Once upon a ti"), Event::BlockStop { index: 0 }];
        let second = [opening(), start(0), said(0, "me"), Event::BlockStop { index: 0 }, finish()];
        for first in [&first, &closed[..]] {
            let (text, events) = read(false, &[first, &second]);
            assert_eq!(text, "Once upon a time");
            assert_eq!(check(&events), None, "{events:?}");
        }
        let (text, events) = read(false, &[&first, &[opening(), finish()]]);
        assert_eq!((text.as_str(), check(&events)), ("Once upon a ti", None), "nothing was missing but the end");
        let (text, events) = read(false, &[&first, &second[..3], &second]);
        assert_eq!((text.as_str(), check(&events)), ("Once upon a timeme", None));
    }

    #[test]
    fn a_call_that_follows_is_a_block_of_its_own() {
        let call = Block::ToolCall { id: "c".to_owned(), name: "f".to_owned(), is_custom: false };
        let second = [
            opening(),
            Event::BlockStart { index: 0, candidate: 0, block: call },
            Event::BlockStop { index: 0 },
            finish(),
        ];
        let (_, events) = read(false, &[&[opening(), start(0), said(0, "Let me see.")], &second]);
        assert_eq!(check(&events), None, "{events:?}");
    }

    #[test]
    fn white_space_that_was_not_sent_is_not_read_twice() {
        for (first, second, wanted) in [
            ("a ", &[" b"][..], "a b"),
            ("a ", &["b"], "a b"),
            ("a\n\n", &["\n", "\n", "b"], "a\n\nb"),
            ("a\n", &["\n\nb"], "a\n\nb"),
            ("a\n  ", &["\n", " b"], "a\n  b"),
            ("a ", &["\nb"], "a \nb"),
            ("a ", &["b", " c"], "a b c"),
        ] {
            let rest = second.iter().map(|text| said(0, text));
            let rest: Vec<_> = [opening(), start(0)].into_iter().chain(rest).collect();
            let (text, _) = read(false, &[&[opening(), start(0), said(0, first)], &rest]);
            assert_eq!(text, wanted, "{first:?} {second:?}");
        }
    }

    #[test]
    fn what_a_provider_repeats_is_not_read_twice() {
        for (second, wanted) in [
            (&["Once", " upon", " a time"][..], "Once upon a time"),
            (&["Once upon a time"], "Once upon a time"),
            (&[" a time"], "Once upon a time"),
            (&["Once upon"], "Once upon "),
            (&["Once", " more"], "Once upon Once more"),
        ] {
            let rest = second.iter().map(|text| said(0, text));
            let rest = [opening(), start(0)].into_iter().chain(rest).chain([Event::BlockStop { index: 0 }, finish()]);
            let rest: Vec<_> = rest.collect();
            let (text, events) = read(true, &[&[opening(), start(0), said(0, "Once upon ")], &rest]);
            assert_eq!((text.as_str(), check(&events)), (wanted, None), "{second:?}");
        }
        let given = [opening(), start(0), said(0, "ha")];
        let (text, _) = read(false, &[&given, &[opening(), start(0), said(0, "ha ha")]]);
        assert_eq!(text, "haha ha", "nobody else repeats it");
    }

    #[test]
    fn tokens_of_all_parts_are_told() {
        let usage =
            |input_tokens, output_tokens| Event::Usage(Usage { input_tokens, output_tokens, ..Usage::default() });
        let first = [opening(), usage(10, 1), start(0), said(0, "a"), usage(10, 4)];
        let second = [opening(), usage(14, 2), start(0), said(0, "b"), usage(14, 5)];
        let (_, events) = read(false, &[&first, &second, &second]);
        let Some(Event::Usage(last)) = events.iter().rfind(|event| matches!(event, Event::Usage(_))) else { panic!() };
        assert_eq!((last.input_tokens, last.output_tokens), (14, 4 + 5 + 5));
    }

    #[test]
    fn only_a_text_is_continued_and_only_so_often() {
        let after = |events: &[Event]| {
            let mut begun = begun();
            events.iter().for_each(|event| begun.pass(event.clone(), &mut Vec::new()));
            begun
        };
        let text = [opening(), start(0), said(0, "a")];
        assert!(after(&text).may_go_on());
        assert!(!after(&text[..2]).may_go_on(), "nothing was said");
        assert!(!after(&[opening(), start(0), said(0, " \n")]).may_go_on());
        assert!(!after(&[&text[..], &[Event::BlockStop { index: 0 }, finish()]].concat()).may_go_on());
        let thoughts =
            Event::BlockStart { index: 0, candidate: 0, block: Block::Reasoning { id: None, is_summary: false } };
        assert!(!after(&[opening(), thoughts, said(0, "hm")]).may_go_on());
        let logprobs = Event::Delta { index: 0, delta: Delta::Logprobs(serde_json::json!([])) };
        assert!(!after(&[&text[..], &[logprobs]].concat()).may_go_on());
        let long = said(0, &"a".repeat(TEXT_BYTES_MAX));
        assert!(after(&[opening(), start(0), long.clone()]).may_go_on());
        assert!(!after(&[opening(), start(0), long, said(0, "a")]).may_go_on());
        let mut often = after(&text);
        often.go_on(false);
        often.go_on(false);
        assert!(!often.may_go_on());
    }

    #[test]
    fn what_is_more_than_a_text_is_not_asked_to_be_continued() {
        let is = |change: &dyn Fn(&mut ChatRequest)| {
            let mut request = asked();
            change(&mut request);
            is_continuable(&request)
        };
        assert!(is(&|_| {}));
        assert!(is(&|request| request.sampling.candidates = Some(1)));
        assert!(!is(&|request| request.sampling.candidates = Some(2)));
        assert!(!is(&|request| request.output = OutputFormat::Json));
        assert!(!is(&|request| request.modalities = vec![Modality::Text, Modality::Audio]));
        assert!(!is(&|request| request.sampling.logprobs = Some(Default::default())));
        let thinking = |effort, mode| Some(Thinking { effort, mode, ..Thinking::default() });
        assert!(!is(&|request| request.thinking = thinking(Some(Effort::Low), None)));
        assert!(!is(&|request| request.thinking = thinking(None, Some(ThinkingMode::Adaptive))));
        assert!(is(&|request| request.thinking = thinking(Some(Effort::None), None)));
        assert!(is(&|request| request.thinking = thinking(None, Some(ThinkingMode::Disabled))));
        assert!(!is(&|request| request.messages.push(Message::new(Role::Assistant, vec!["Once".into()]))));
    }
}
