//! What providers answer in pieces, in the words of every client. A stream whose name begins with `broken-` ends in an
//! error.

use crate::table::{egresses, ingresses};
use bytes::BytesMut;
use gw_core::Error;
use gw_core::chat::event::check;
use gw_core::chat::{ChatAnswer, Collector, Event, Part};
use gw_dialects::chat::{Egress, Ingress};
use gw_dialects::sse;
use serde_json::Value;

use crate::fixtures::{self, File};
use crate::golden::Golden;
use crate::known::Law;
use crate::report::Report;
use crate::specs::{Schema, Specs};
use crate::table;

/// Places at which one stream is cut in two, at most: all, if it is shorter.
const CUTS_MAX: usize = 256;

/// What a stream says: its events, and the error that ended it.
struct Said {
    events: Vec<Event>,
    error: Option<Error>,
}

#[test]
fn a_stream_means_the_same_however_it_is_cut() {
    let mut report = Report::new(Law::Cut);
    for (name, egress) in egresses() {
        for file in fixtures::list(name, "streams") {
            let whole = decode(*egress, [&file.bytes[..]]);
            let mut compare = |how: &str, other: &Said| {
                if other.events != whole.events || words(other) != words(&whole) {
                    report.wrong(name, &file.name, format!("means something else {how}"));
                }
            };
            compare("byte by byte", &decode(*egress, file.bytes.chunks(1)));
            for cut in cuts(file.bytes.len()) {
                let (head, tail) = file.bytes.split_at(cut);
                compare(&format!("cut at {cut}"), &decode(*egress, [head, tail]));
            }
        }
    }
    report.finish();
}

#[test]
fn the_end_mark_is_known_when_it_comes_and_nothing_is_said_behind_it() {
    let mut report = Report::new(Law::Cut);
    for (name, egress) in egresses() {
        for file in fixtures::list(name, "streams").iter().filter(|file| !file.name.starts_with("broken-")) {
            let mut decoder = egress.decoder(fixtures::origin());
            let (mut events, mut complete_at) = (Vec::new(), None);
            for (place, byte) in file.bytes.iter().enumerate() {
                let before = events.len();
                if decoder.decode(&[*byte], &mut events).is_err() {
                    break;
                }
                if complete_at.is_some() && (events.len() > before || !decoder.is_complete()) {
                    report.wrong(name, &file.name, "something is said behind the end mark");
                }
                complete_at = complete_at.or_else(|| decoder.is_complete().then_some(place));
            }
            let has_mark = has_end_mark(name, &file.bytes);
            if complete_at.is_some() != has_mark {
                report.wrong(name, &file.name, format!("complete at {complete_at:?}, has an end mark: {has_mark}"));
            }
        }
    }
    report.finish();
}

/// Whether a stream ends with its dialect's end mark.
fn has_end_mark(dialect: &str, stream: &[u8]) -> bool {
    let ends = |mark: &str| stream.windows(mark.len()).any(|window| window == mark.as_bytes());
    match dialect {
        "gemini" => stream.trim_ascii().ends_with(b"]"),
        // An event is one when its empty line has come.
        "openai_chat" | "watsonx_chat" => ends("[DONE]\n\n") || ends("[DONE]\r\n\r\n"),
        _ => true,
    }
}

#[test]
fn a_stream_keeps_to_the_grammar_and_says_what_the_whole_answer_says() {
    let mut report = Report::new(Law::Twin);
    for (name, egress) in egresses() {
        let answers = fixtures::list(name, "answers");
        for file in fixtures::list(name, "streams") {
            let said = decode(*egress, [&file.bytes[..]]);
            if let Some(fault) = fault(&file, &said) {
                report.wrong(name, &file.name, fault);
                continue;
            }
            let Some(twin) = answers.iter().find(|answer| answer.name == file.name) else { continue };
            let whole = egress.decode_answer(&twin.bytes, &fixtures::origin());
            let whole = normal(whole.unwrap_or_else(|error| panic!("{name} {}: {error}", twin.name)));
            let mut collector = Collector::default();
            said.events.into_iter().for_each(|event| collector.push(event));
            let collected = normal(collector.into_answer());
            if collected != whole {
                report.wrong(name, &file.name, format!("in pieces:\n{collected:?}\n  whole:\n{whole:?}"));
            }
        }
    }
    report.finish();
}

#[test]
fn every_stream_is_said_in_every_clients_words_as_agreed() {
    let (mut golden, mut report) = (Golden::open("streams"), Report::new(Law::Event));
    let mut specs = Specs::find();
    for (origin, egress) in egresses() {
        for file in fixtures::list(origin, "streams") {
            let case = format!("{origin}--{}", file.name);
            let said = decode(*egress, [&file.bytes[..]]);
            for (name, ingress) in ingresses() {
                let out = encode(*ingress, &said);
                golden.check(&format!("{name}/{case}.txt"), std::str::from_utf8(&out).unwrap());
                if let (Some(schema), None) = (table::dialect(name).event, &said.error) {
                    validate(&mut specs, schema, &out, |fault| report.wrong(name, &case, fault));
                }
            }
        }
    }
    golden.finish();
    report.finish_if(specs.are_here());
}

fn decode<'a>(egress: &dyn Egress, pieces: impl IntoIterator<Item = &'a [u8]>) -> Said {
    let mut said = Said { events: Vec::new(), error: None };
    let mut decoder = egress.decoder(fixtures::origin());
    for piece in pieces {
        if let Err(error) = decoder.decode(piece, &mut said.events) {
            said.error = Some(error);
            return said;
        }
    }
    said.error = decoder.end(&mut said.events).err();
    said
}

fn encode(ingress: &dyn Ingress, said: &Said) -> BytesMut {
    let (mut out, mut encoder) = (BytesMut::new(), ingress.encoder(fixtures::asked(true)));
    said.events.iter().for_each(|event| encoder.encode(event, &mut out));
    match &said.error {
        Some(error) => encoder.error(error, &mut out),
        None => encoder.end(&mut out),
    }
    out
}

fn cuts(length: usize) -> impl Iterator<Item = usize> {
    // An odd step meets every place of a short pattern sooner or later.
    let step = (length / CUTS_MAX) | 1;
    (1..length).step_by(step)
}

fn words(said: &Said) -> Option<String> {
    said.error.as_ref().map(ToString::to_string)
}

fn fault(file: &File, said: &Said) -> Option<String> {
    match (&said.error, file.name.starts_with("broken-")) {
        (Some(error), false) => Some(error.to_string()),
        (None, true) => Some("no error was noticed".to_owned()),
        (None, false) => check(&said.events),
        (Some(_), true) => None,
    }
}

/// An answer without what a stream and a whole answer need not have in common.
fn normal(mut answer: ChatAnswer) -> ChatAnswer {
    answer.id.clear();
    answer.created_s = None;
    answer.extra.members.clear();
    let parts = answer.candidates.iter_mut().flat_map(|candidate| &mut candidate.parts);
    for (place, part) in parts.enumerate() {
        match part {
            Part::ToolCall(call) => call.id = format!("call {place}"),
            Part::Reasoning(reasoning) => reasoning.id = None,
            _ => {}
        }
    }
    answer
}

/// Holds what each event of a stream says against the schema: the data of events by the standard, or lines of JSON.
pub(crate) fn validate(specs: &mut Specs, schema: Schema, stream: &[u8], mut wrong: impl FnMut(String)) {
    let is_lines = stream.starts_with(b"{");
    let lines = stream.split(|byte| *byte == b'\n').filter(|_| is_lines).map(<[u8]>::to_vec);
    let events = sse::events(stream).filter(|_| !is_lines).map(|event| sse::data(stream, &event));
    for data in lines.chain(events).filter(|data| !data.is_empty() && data != b"[DONE]") {
        match serde_json::from_slice::<Value>(&data) {
            Err(error) => wrong(format!("{error} in {:?}", String::from_utf8_lossy(&data))),
            Ok(value) => specs.faults(schema, &value).into_iter().for_each(&mut wrong),
        }
    }
}
