//! What the client gets of a provider's stream, and what the gateway learns from it.
#![expect(clippy::unwrap_used, reason = "what does not hold stops the test")]

#[path = "checks/stream.rs"]
mod checks;

use bytes::Bytes;
use checks::{Watched, watch};
use gw_core::{ErrorCode, Usage};
use gw_dialects::DialectId;
use gw_dialects::stream::{FaultKind, StreamScan, StreamScanOptions};
use proptest::prelude::*;

const TOKEN: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"é\"},\"finish_reason\":null}],\"usage\":null}\n\n";
const STOP: &str =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n";
const USAGE: &str = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn used(input_tokens: u64, output_tokens: u64) -> Option<Usage> {
    Some(Usage { input_tokens, output_tokens, ..Usage::default() })
}

fn withheld(text: &str) -> Watched {
    watch(true, [text.as_bytes()])
}

fn text(watched: &Watched) -> &str {
    std::str::from_utf8(&watched.forwarded).unwrap()
}

#[test]
fn the_usage_chunk_is_kept_from_a_client_that_did_not_ask_for_it() {
    let watched = withheld(&[TOKEN, STOP, USAGE, DONE].concat());
    assert_eq!(text(&watched), [TOKEN, STOP, DONE].concat());
    assert_eq!(watched.usage, used(3, 4));
    assert!(watched.clean && watched.content);
}

#[test]
fn the_usage_chunk_is_given_to_a_client_that_asked_for_it() {
    let all = [TOKEN, STOP, USAGE, DONE].concat();
    let watched = watch(false, [all.as_bytes()]);
    assert_eq!(text(&watched), all);
    assert_eq!(watched.usage, used(3, 4));
}

#[test]
fn only_a_chunk_that_tells_nothing_but_usage_is_withheld() {
    let stay = [
        "data: {\"choices\":[],\"prompt_filter_results\":[],\"usage\":null}\n\n",
        "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":1}}\n\n",
        "data: {\"choices\":[],\"x_groq\":{\"usage\":{\"prompt_tokens\":1}}}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1},\"error\":{\"message\":\"no\"}}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\": {\"}}]}\n\n",
    ];
    for event in stay {
        assert_eq!(text(&withheld(event)), event);
    }
    for event in [
        "data:{ \"usage\" : {\"prompt_tokens\":1} , \"choices\" : [ ] }\r\n\r\n",
        ": c\nid: 1\ndata: {\"choices\":[],\ndata: \"usage\"\ndata: : {}}\n\n",
    ] {
        assert_eq!(text(&withheld(event)), "", "{event}");
    }
}

#[test]
fn usage_is_learned_wherever_a_provider_tells_it() {
    let cases = [
        ("on the last chunk with a choice", "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n".to_owned()),
        ("on every chunk, as the total so far", (1..=4).map(|n| format!("data: {{\"choices\":[{{}}],\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":{n}}}}}\n\n")).collect()),
        ("groq", "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"x_groq\":{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}}\n\n".to_owned()),
        ("moonshot", "data: {\"choices\":[{\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}]}\n\n".to_owned()),
        ("in several lines", "data: {\"choices\":[],\ndata: \"usage\": {\"prompt_tokens\":3,\ndata: \"completion_tokens\":4}}\n\n".to_owned()),
        ("without the empty line at the end", "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}".to_owned()),
    ];
    for (name, stream) in cases {
        assert_eq!(withheld(&stream).usage, used(3, 4), "{name}");
    }
    assert_eq!(withheld(&[TOKEN, STOP, DONE].concat()).usage, None);
}

#[test]
fn a_stream_ends_well_only_if_it_said_so() {
    let cases = [
        ([TOKEN, DONE].concat(), true),
        ([TOKEN, "data: [DONE]"].concat(), true),
        ([TOKEN, STOP].concat(), true),
        ([TOKEN, STOP, USAGE].concat(), true),
        ([TOKEN, STOP.trim_end()].concat(), true),
        ([TOKEN, STOP, ": by"].concat(), true),
        ([TOKEN, STOP, &USAGE[..50]].concat(), false),
        ([TOKEN, STOP, "dat"].concat(), false),
        ([TOKEN, "data: [DON"].concat(), false),
        ([TOKEN].concat(), false),
        (TOKEN[..TOKEN.len() - 9].to_owned(), false),
        (String::new(), false),
    ];
    for (stream, clean) in cases {
        assert_eq!(withheld(&stream).clean, clean, "{stream}");
    }
}

#[test]
fn what_was_cut_off_is_not_begun_so_that_an_error_after_it_can_be_read() {
    for cut in 1..TOKEN.trim_end().len() {
        if !TOKEN.is_char_boundary(cut) {
            continue;
        }
        let stream = [TOKEN, &TOKEN[..cut]].concat();
        let watched = watch(true, [stream.as_bytes()]);
        assert_eq!((text(&watched), watched.clean), (TOKEN, false), "cut at {cut}");
    }
    let halved = [TOKEN.as_bytes(), &TOKEN.as_bytes()[..TOKEN.find('é').unwrap() + 1]].concat();
    assert_eq!(text(&watch(true, [&halved[..]])), TOKEN);
}

#[test]
fn a_last_event_without_its_empty_line_is_completed() {
    for (end, completed) in [("", "\n\n"), ("\n", "\n\n"), ("\r\n", "\r\n\n"), ("\r", "\r\n\n")] {
        let event = STOP.trim_end();
        let watched = withheld(&format!("{event}{end}"));
        assert_eq!(text(&watched), format!("{event}{completed}"));
        assert!(watched.clean);
    }
}

#[test]
fn nothing_follows_the_end() {
    assert_eq!(text(&withheld(&[DONE, TOKEN].concat())), DONE);
    assert_eq!(text(&watch(true, [DONE.as_bytes(), TOKEN.as_bytes(), b"\xff garbage"])), DONE);
}

#[test]
fn comments_go_through_and_events_that_libraries_trip_over_do_not() {
    let cases = [
        (": ping\n\n", ": ping\n\n"),
        (": OPENROUTER PROCESSING\n\n\n", ": OPENROUTER PROCESSING\n\n\n"),
        ("retry: 3000\n\n", ""),
        ("id: 7\n\n", ""),
        ("event: ping\n\n", ""),
        ("data:\n\n", ""),
        ("data\n\n", ""),
        ("data:  \ndata:\n\n", ""),
        (": a\nretry: 1\n: b\n\n", ""),
    ];
    for (sent, expected) in cases {
        let watched = watch(true, [sent.as_bytes(), TOKEN.as_bytes()]);
        assert_eq!(text(&watched), [expected, TOKEN].concat(), "{sent:?}");
    }
    let named = "event: completion\nid: 1\nretry: 5\ndata: {}\n\n";
    assert_eq!(text(&withheld(named)), named);
    // OpenAI's Python library remembers an id, and takes every empty line after it for an event.
    assert_eq!(text(&withheld(&[named, ": ping\n\n\n", TOKEN].concat())), [named, TOKEN].concat());
}

#[test]
fn an_error_in_the_stream_is_noticed_and_given_on() {
    let cases = [
        ("data: {\"error\":{\"message\":\"over\\nloaded\",\"type\":\"server_error\"}}\n\n", "over loaded"),
        (
            "data: {\"choices\":[{\"finish_reason\":\"error\"}],\"error\":{\"code\":502,\"message\":\"gone\"}}\n\n",
            "gone",
        ),
        ("data: {\"error\":\"text\"}\n\n", "text"),
        ("event: error\ndata: {\"error\":{\"type\":\"x\"}}\n\n", "the provider gave no reason"),
        ("data: {\"object\":\"error\",\"message\":\"vllm\",\"code\":400}\n\n", "vllm"),
    ];
    for (event, message) in cases {
        let watched = withheld(&[TOKEN, event].concat());
        assert_eq!(text(&watched), [TOKEN, event].concat());
        assert_eq!(watched.error.as_deref(), Some(message));
        assert!(watched.clean, "the client has been told");
    }
    for event in
        ["data: {\"error\":null}\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"error\\\":1\"}}]}\n\n"]
    {
        assert_eq!(withheld(event).error, None, "{event}");
    }
}

#[test]
fn what_no_client_could_read_is_a_fault_and_what_came_before_it_is_given_on() {
    let cases: [(&[u8], FaultKind); 7] = [
        (b"data: {\"content\":\"\xff\"}\n\n", FaultKind::NotUtf8),
        (b": \xc3\n\n", FaultKind::NotUtf8),
        (b"data: hello\n\n", FaultKind::NotJson),
        (b"data: <html>\n\n", FaultKind::NotJson),
        (b"data: []\n\n", FaultKind::NotJson),
        (b"data: {\"usage\":{\"prompt\n\n", FaultKind::NotJson),
        (b"data: {\"choices\":[{\"delta\":{\"content\":\"cut o\n\n", FaultKind::NotJson),
    ];
    for (event, kind) in cases {
        let stream = [TOKEN.as_bytes(), event, TOKEN.as_bytes()].concat();
        let watched = watch(true, [&stream[..]]);
        assert_eq!((text(&watched), watched.fault, watched.clean), (TOKEN, Some(kind), false));
    }
}

#[test]
fn a_fault_stays_and_says_what_is_wrong() {
    let options = StreamScanOptions { dialect: DialectId::OpenAiChat, withhold_usage_chunk: false };
    let mut scan = StreamScan::new(options);
    let fault = scan.feed(Bytes::from_static(b"data: secret\n\n")).unwrap_err();
    assert_eq!(scan.feed(Bytes::from_static(TOKEN.as_bytes())), Err(fault.clone()));
    let error = fault.into_error();
    assert_eq!(error.code, ErrorCode::ProviderInvalidResponse);
    assert!(!error.message.contains("secret"));
}

#[test]
fn a_piece_that_needs_no_change_is_given_on_without_a_copy() {
    let options = StreamScanOptions { dialect: DialectId::OpenAiChat, withhold_usage_chunk: true };
    let mut scan = StreamScan::new(options);
    let piece = Bytes::from([TOKEN, TOKEN, STOP].concat());
    let pieces = scan.feed(piece.clone()).unwrap();
    assert_eq!((pieces.len(), pieces[0].as_ptr()), (1, piece.as_ptr()));
}

#[test]
fn nothing_is_content_that_is_only_an_error_or_a_comment_or_usage() {
    assert!(!withheld(": ping\n\n").content);
    assert!(!withheld("data: {\"error\":{\"message\":\"no\"}}\n\n").content);
    assert!(!withheld(&[USAGE, DONE].concat()).content);
    assert!(withheld(TOKEN).content);
}

fn event() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        4 => Just(TOKEN.to_owned()),
        1 => Just(STOP.to_owned()),
        2 => Just(USAGE.to_owned()),
        1 => Just(DONE.to_owned()),
        1 => Just(": ping\n\n".to_owned()),
        1 => Just("id: 1\nretry: 2\n\n".to_owned()),
        1 => Just("\n".to_owned()),
        1 => Just("id: 1\ndata: {}\n\n".to_owned()),
        1 => Just("data\n\n".to_owned()),
        1 => Just("data: {\"error\":{\"message\":\"no\"}}\n\n".to_owned()),
        1 => Just("data: {\"choices\":[],\ndata: \"usage\":\ndata: {\"prompt_tokens\":9}}\n\n".to_owned()),
        1 => "data: \\{\"[a-zé]{0,9}\":[0-9]\\}\n\n",
        1 => "[a-z:\\{\\} \n]{0,20}",
    ];
    let end = prop_oneof![4 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\r")];
    (text, end).prop_map(|(text, end)| text.replace('\n', end).into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_means_the_same_however_it_arrives(
        events in prop::collection::vec(event(), 0..12),
        mark in any::<bool>(),
        broken in prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        sizes in prop::collection::vec(0_usize..40, 1..40),
        withhold in any::<bool>(),
    ) {
        let mut text = events.concat();
        if mark {
            text.splice(0..0, "\u{feff}".bytes());
        }
        if let (Some((place, byte)), false) = (broken, text.is_empty()) {
            let place = place.index(text.len());
            text[place] = byte;
        }
        if let (Some(cut), false) = (cut, text.is_empty()) {
            text.truncate(cut.index(text.len()));
        }
        let mut pieces = Vec::new();
        let mut rest = &text[..];
        for size in sizes.iter().cycle().take(if sizes.iter().all(|&size| size == 0) { 0 } else { usize::MAX }) {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(watch(withhold, pieces), watch(withhold, [&text[..]]));
        checks::check(&text);
    }

    #[test]
    fn no_bytes_make_a_stream_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        checks::check(&text);
    }
}
