//! What must hold for every request: shared by the tests and by the fuzz target.
#![expect(clippy::expect_used, clippy::panic, reason = "a check that does not hold stops the test")]

use std::fmt::{self, Formatter};

use bytes::Bytes;
use gw_dialects::edit::{self, Edits};
use gw_dialects::scan::ScanError;
use gw_dialects::{DialectId, request, scan};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The scan finds what serde_json finds, and refuses what it refuses.
fn check_scan(text: &[u8]) {
    let expected = serde_json::from_slice::<Reference<'_>>(text).ok().filter(|_| std::str::from_utf8(text).is_ok());
    let found = scan::top_level(text).map(|fields| {
        let spans = fields.iter().map(|field| (&text[field.key()], &text[field.value()]));
        spans.collect::<Vec<_>>()
    });
    match (found, expected) {
        (Ok(found), Some(Reference(expected))) => {
            let expected = expected.iter().map(|(key, value)| (key.get().as_bytes(), value.get().as_bytes()));
            assert_eq!(found, expected.collect::<Vec<_>>());
        }
        (Err(ScanError::TooManyMembers), Some(_)) | (Err(_), None) => {}
        (found, expected) => panic!("found {found:?}, expected {:?}", expected.map(|reference| reference.0)),
    }
}

/// The members of an object as serde_json sees them.
struct Reference<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Reference<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(&'de RawValue, &'de RawValue)>;

            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Reference)
    }
}

/// A request that can be read stays what it was but for what is meant to change.
pub(crate) fn check(text: &[u8]) {
    check_scan(text);
    let body = Bytes::copy_from_slice(text);
    for dialect in DialectId::ALL.iter().copied().filter(|dialect| dialect.is_plain_openai()) {
        let Ok(head) = request::scan(dialect, &body) else { continue };
        let before = members(&body);
        assert_eq!(edit::apply(&body, Edits::new()).concat(), body);

        let mut edits: Edits = request::remove_extensions(&head, &body).collect();
        edits.push(edit::set(&head, &body, "model", edit::json_string("new \"model\"")));
        edits.extend(request::usage_option(&head, &body));
        let sent = Bytes::from(edit::apply(&body, edits).concat());
        let after = members(&sent);

        let again = request::scan(dialect, &sent).expect("a request stays valid");
        assert_eq!(again.model.as_deref(), Some("new \"model\""));
        assert_eq!(again.prefer_provider, None);
        assert_eq!((again.stream, again.include_usage), (head.stream, head.stream || head.include_usage));
        assert_eq!(again.max_output_tokens, head.max_output_tokens);
        let kept = |members: &[(String, String)]| -> Vec<(String, String)> {
            let changed = ["model", "stream_options", "prefer_provider"];
            members.iter().filter(|(name, _)| !changed.contains(&name.as_str())).cloned().collect()
        };
        assert_eq!(kept(&after), kept(&before));
    }
}

/// The members of an object: their names and the very text of their values, in their order.
pub(crate) fn members(body: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the body is UTF-8");
    let fields = scan::top_level(body).expect("the body is a JSON object");
    fields.iter().map(|field| (text(&field.name(body)), text(&body[field.value()]))).collect()
}
