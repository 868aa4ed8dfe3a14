//! Changes to any JSON object do what they say and nothing else.

#[path = "checks/request.rs"]
mod checks;

use bytes::Bytes;
use checks::members;
use gw_dialects::edit::{self, Edit, Edits};
use gw_dialects::head::Head;
use gw_dialects::scan;
use proptest::prelude::*;

const NAMES: [&str; 6] = ["a", "b", "model", "é", "with \"quotes\"", ""];

/// Some of the ways in which each of [`NAMES`] can be written.
fn name() -> impl Strategy<Value = (usize, String)> {
    let written = [
        &[r#""a""#, r#""\u0061""#][..],
        &[r#""b""#],
        &[r#""model""#, r#""mod\u0065l""#, r#""\u006dodel""#],
        &[r#""é""#, r#""\u00e9""#],
        &[r#""with \"quotes\"""#],
        &[r#""""#],
    ];
    (0..NAMES.len())
        .prop_flat_map(move |name| (Just(name), prop::sample::select(written[name].to_vec()).prop_map(str::to_owned)))
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "1e400",
        "-0",
        "123456789012345678901234567890",
        r#""""#,
        r#""}],{\"a\":1""#,
        r#""\ud800""#,
        r#""\\""#,
        "{}",
        "[ ]",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|values| format!("[{}]", values.join(" ,"))),
            prop::collection::vec(inner, 0..3).prop_map(|values| {
                let members: Vec<_> = values.iter().map(|value| format!("\"a\":{value}")).collect();
                format!("{{ {} }}", members.join(","))
            }),
        ]
    })
}

fn space() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,2}"
}

/// An object as text, with the numbers of its members' names and their values.
fn object() -> impl Strategy<Value = (String, Vec<(usize, String)>)> {
    let member = (name(), value(), [space(), space(), space(), space()]);
    (prop::collection::vec(member, 0..8), space(), space(), space()).prop_map(|(members, before, inside, after)| {
        let text: Vec<_> =
            members.iter().map(|((_, name), value, [a, b, c, d])| format!("{a}{name}{b}:{c}{value}{d}")).collect();
        let text = format!("{before}{{{}{inside}}}{after}", text.join(","));
        (text, members.into_iter().map(|((name, _), value, _)| (name, value)).collect())
    })
}

#[derive(Debug, Clone)]
enum Change {
    Set(usize, &'static str),
    Remove(usize),
    Rename(usize, &'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let value = || prop::sample::select(vec!["1", "null", r#"{"x":[]}"#]);
    prop_oneof![
        (0..NAMES.len(), value()).prop_map(|(name, value)| Change::Set(name, value)),
        (0..NAMES.len()).prop_map(Change::Remove),
        (0..NAMES.len(), prop::sample::select(vec!["new", "b"])).prop_map(|(name, new)| Change::Rename(name, new)),
    ]
}

/// The same changes on a list of members. All refer to the object as it was.
fn changed(members: &[(usize, String)], changes: &[Change]) -> Vec<(String, String)> {
    let removed = |name: usize| changes.iter().any(|change| matches!(change, Change::Remove(gone) if *gone == name));
    let first = |name: usize| members.iter().position(|(other, _)| *other == name);
    let last_of = |found: &dyn Fn(&Change) -> Option<&'static str>| changes.iter().rev().find_map(found);
    let mut added: Vec<(usize, &str)> = Vec::new();
    for change in changes {
        if let Change::Set(name, value) = change
            && first(*name).is_none()
        {
            added.retain(|(other, _)| other != name);
            added.push((*name, value));
        }
    }
    let added = added.into_iter().map(|(name, value)| (NAMES[name].to_owned(), value.to_owned()));
    let kept = members.iter().enumerate().filter(|(_, (name, _))| !removed(*name)).map(|(place, (name, value))| {
        let here = |other: usize| other == *name && first(*name) == Some(place);
        let renamed = last_of(&|change| match change {
            Change::Rename(name, new) if here(*name) => Some(new),
            _ => None,
        });
        let set = last_of(&|change| match change {
            Change::Set(name, value) if here(*name) => Some(value),
            _ => None,
        });
        (renamed.unwrap_or(NAMES[*name]).to_owned(), set.unwrap_or(value).to_owned())
    });
    added.chain(kept).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn changes_to_any_object_do_what_they_say_and_nothing_else(
        (text, before) in object(),
        changes in prop::collection::vec(change(), 0..5),
        padding in prop::option::weighted(0.1, Just(20_000)),
    ) {
        // Beyond some size a body is not joined.
        let body = Bytes::from(format!("{}{text}", " ".repeat(padding.unwrap_or(0))));
        let head = Head { fields: scan::top_level(&body).unwrap(), ..Head::default() };
        let mut edits = Edits::new();
        for change in &changes {
            match change {
                Change::Set(name, value) => edits.push(edit::set(&head, &body, NAMES[*name], Bytes::from_static(value.as_bytes()))),
                Change::Remove(name) => edits.extend(edit::remove(&head, &body, NAMES[*name])),
                Change::Rename(name, new) => edits.extend(head.fields.get(&body, NAMES[*name]).map(|field| Edit::rename(field, new))),
            }
        }
        let segments = edit::apply(&body, edits);
        prop_assert!(segments.len() == 1 || padding.is_some());
        let sent = segments.concat();
        prop_assert!(serde_json::from_slice::<&serde_json::value::RawValue>(&sent).is_ok());
        prop_assert_eq!(members(&sent), changed(&before, &changes), "{}", String::from_utf8_lossy(&sent));
        if changes.is_empty() {
            prop_assert_eq!(sent, body);
        }
    }

    #[test]
    fn no_bytes_make_a_request_panic(text in prop::collection::vec(any::<u8>(), 0..100)) {
        checks::check(&text);
    }

    #[test]
    fn a_request_that_can_be_read_changes_only_where_it_is_meant((text, _) in object(), stream in any::<bool>()) {
        let members = format!("{{\"stream\":{stream},\"prefer_provider\":\"x\",\"stream_options\":{{ \"y\":1}},");
        checks::check(text.as_bytes());
        checks::check(text.replacen('{', &members, 1).as_bytes());
    }
}
