//! Event streams are read by the standard (WHATWG HTML, "Server-sent events").
#![expect(clippy::unwrap_used, reason = "what does not hold stops the test")]

use bytes::Bytes;
use gw_dialects::sse::{self, Framer};

/// The name and the data of every whole event.
fn read(text: &str) -> Vec<(Option<String>, String)> {
    let mut framer = Framer::default();
    let whole = framer.feed(Bytes::copy_from_slice(text.as_bytes())).unwrap();
    let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    sse::events(&whole)
        .filter(|event| event.data_lines > 0)
        .map(|event| (event.name.clone().map(|name| string(&whole[name])), string(&sse::data(&whole, &event))))
        .collect()
}

fn data(text: &str) -> Vec<String> {
    read(text).into_iter().map(|(_, data)| data).collect()
}

#[test]
fn the_examples_of_the_standard_are_read_as_it_says() {
    assert_eq!(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
    let four = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
    assert_eq!(data(four), ["first event", "second event", " third event"]);
    assert_eq!(data("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
    assert_eq!(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
    let named = "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n";
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(read(named), [(name("add"), "73857293".to_owned()), (name("remove"), "2153".to_owned())]);
}

#[test]
fn lines_end_in_every_way_the_standard_allows() {
    for end in ["\n", "\r", "\r\n"] {
        let text = format!(": c{end}{end}data: a{end}data: b{end}{end}data: c{end}{end}data: d{end}");
        assert_eq!(data(&text), ["a\nb", "c"], "{end:?}");
    }
    assert_eq!(data("data: a\r\n\ndata: b\n\r\ndata: c\r\r\ndata: d\n\r"), ["a", "b", "c", "d"]);
}

#[test]
fn fields_that_are_not_known_and_names_that_only_look_alike_are_no_data() {
    assert_eq!(data("datax: 1\n Data: 2\nDATA: 3\n data: 4\ndata : 5\ndata: a:b\n\n"), ["a:b"]);
}

#[test]
fn what_an_event_has_is_told() {
    let text = b":c\nid: 1\nretry: 5\nevent: x\ndata:\ndata: {\n\n:only\n\n";
    let events: Vec<_> = sse::events(text).collect();
    assert_eq!(events.len(), 2);
    assert!(events[0].has_id && events[0].has_other);
    assert_eq!(events[0].data_lines, 2);
    assert_eq!(&text[events[0].data.clone().unwrap()], b"{");
    assert!(!events[1].has_other && events[1].data.is_none() && events[1].data_lines == 0);
}

#[test]
fn a_piece_of_whole_events_is_given_on_without_a_copy() {
    let mut framer = Framer::default();
    let piece = Bytes::from_static(b"data: a\n\ndata: b\n\nda");
    assert_eq!(framer.feed(piece.clone()).unwrap().as_ptr(), piece.as_ptr());
    assert_eq!(framer.feed(Bytes::from_static(b"ta: c\n\n")).unwrap(), "data: c\n\n");
    let piece = Bytes::from_static(b"data: d\n\n");
    assert_eq!(framer.feed(piece.clone()).unwrap().as_ptr(), piece.as_ptr());
    assert!(framer.finish().is_empty());
}

#[test]
fn an_event_is_given_on_with_the_byte_that_completes_it() {
    let mut framer = Framer::default();
    let mut feed = |text: &'static str| framer.feed(Bytes::from_static(text.as_bytes())).unwrap();
    assert_eq!(feed("data: a\r\n"), "");
    assert_eq!(feed("\r"), "data: a\r\n\r");
    assert_eq!(feed("\ndata: b\r"), "");
    assert_eq!(feed("\r"), "data: b\r\r");
    assert_eq!(feed("data: c"), "");
    assert_eq!(feed("\n\ndata: "), "data: c\n\n");
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_beginning_only() {
    for size in [1, 2, 3, 4, 100] {
        let mut framer = Framer::default();
        let text = "\u{feff}data: a\n\n\u{feff}data: b\n\n";
        let pieces: Vec<Bytes> =
            text.as_bytes().chunks(size).map(|piece| framer.feed(Bytes::copy_from_slice(piece)).unwrap()).collect();
        assert_eq!(pieces.concat(), "data: a\n\n\u{feff}data: b\n\n".as_bytes());
    }
}

#[test]
fn an_event_that_does_not_end_is_an_error_at_the_limit() {
    let mut framer = Framer::new(100);
    let mut fed = 0;
    let error = loop {
        match framer.feed(Bytes::from_static(b"data: 0123\n")) {
            Ok(events) => assert!(events.is_empty()),
            Err(error) => break error,
        }
        fed += 11;
        assert!(fed <= 100);
    };
    assert_eq!(error.bytes_max, 100);
}

#[test]
fn what_no_client_could_read_is_found_among_events() {
    let good = "event: a\ndata: {\"a\":\ndata: 1}\n\n: ping\n\ndata:\n\n";
    for bad in [&b"data: {\"a\n\n"[..], b"data: \xff\xfe{}\n\n", b": \xff\n\n", b"data: <html>\n\n"] {
        let text = [good.as_bytes(), bad, good.as_bytes()].concat();
        assert_eq!(sse::readable(&text), good.len(), "{}", String::from_utf8_lossy(bad));
    }
    assert_eq!(sse::readable(good.as_bytes()), good.len());
    assert_eq!(sse::readable(b""), 0);
}
