//! Changes to the top level of a JSON object. Every byte that is not meant stays as it is.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::{SmallVec, smallvec};

use crate::head::Head;
use crate::scan::Field;

/// Bodies up to this size are copied into one piece: cheaper than several small writes.
const JOINED_BYTES_MAX: usize = 16 << 10;

/// One change. Its places are those of the body that was scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Other bytes in the place of these.
    Replace {
        /// What is replaced; empty where something is only put in.
        range: Range<usize>,
        /// What stands there instead.
        with: Bytes,
    },
    /// A member is taken out, with one comma.
    Remove {
        /// From the first byte of its name to the last of its value.
        member: Range<usize>,
    },
    /// A member is added, before all others.
    Insert {
        /// Its name, as JSON.
        key: Bytes,
        /// Its value, as JSON.
        value: Bytes,
    },
}

/// The changes to one body, in the order they were asked for.
pub type Edits = SmallVec<[Edit; 8]>;

/// A body in pieces.
pub type Segments = SmallVec<[Bytes; 8]>;

/// Gives the member of that name this value (as JSON); adds the member if there is none.
pub fn set(head: &Head, body: &[u8], name: &str, value: Bytes) -> Edit {
    match head.fields.get(body, name) {
        Some(field) => Edit::replace_value(field, value),
        None => Edit::insert(name, value),
    }
}

/// Takes out every member of that name.
pub fn remove(head: &Head, body: &[u8], name: &str) -> impl Iterator<Item = Edit> {
    head.fields.all(body, name).map(Edit::remove)
}

/// A text as JSON.
pub fn json_string(text: &str) -> Bytes {
    Bytes::from(serde_json::Value::from(text).to_string())
}

impl Edit {
    /// Gives a member another value (as JSON).
    pub fn replace_value(field: &Field, value: Bytes) -> Self {
        Edit::Replace { range: field.value(), with: value }
    }

    /// Gives a member another name.
    pub fn rename(field: &Field, name: &str) -> Self {
        Edit::Replace { range: field.key(), with: json_string(name) }
    }

    /// Takes a member out.
    pub fn remove(field: &Field) -> Self {
        Edit::Remove { member: field.member() }
    }

    /// Adds a member with this value (as JSON).
    pub fn insert(name: &str, value: Bytes) -> Self {
        Edit::Insert { key: json_string(name), value }
    }
}

/// Applies the changes to the body they were made for. What is removed is removed whatever else was asked for it; of
/// two changes to the same bytes the later one holds.
pub fn apply(body: &Bytes, edits: Edits) -> Segments {
    if edits.is_empty() {
        return smallvec![body.clone()];
    }
    let splices = splices(body, edits);
    let removed: usize = splices.iter().map(|splice| splice.range.len()).sum();
    let added: usize = splices.iter().map(|splice| splice.with.len()).sum();
    let length = body.len() - removed + added;
    if length <= JOINED_BYTES_MAX { smallvec![joined(body, &splices, length)] } else { sliced(body, splices) }
}

/// A change of bytes.
struct Splice {
    range: Range<usize>,
    with: Bytes,
}

type Splices = SmallVec<[Splice; 8]>;

fn joined(body: &Bytes, splices: &Splices, length: usize) -> Bytes {
    let mut whole = BytesMut::with_capacity(length);
    let mut copied = 0;
    for splice in splices {
        whole.put_slice(&body[copied..splice.range.start]);
        whole.put_slice(&splice.with);
        copied = splice.range.end;
    }
    whole.put_slice(&body[copied..]);
    whole.freeze()
}

fn sliced(body: &Bytes, splices: Splices) -> Segments {
    let mut segments = Segments::new();
    let mut taken = 0;
    for splice in splices {
        segments.push(body.slice(taken..splice.range.start));
        segments.push(splice.with);
        taken = splice.range.end;
    }
    segments.push(body.slice(taken..));
    segments.retain(|segment| !segment.is_empty());
    segments
}

/// The changes as changes of bytes: in the order of their places, none over another.
fn splices(body: &[u8], edits: Edits) -> Splices {
    let mut splices = removals(body, &edits);
    let front = front(body, &edits, &splices);
    splices.extend(front);
    replacements(edits, splices)
}

/// What is taken out: neighbours together, with as many commas as members.
fn removals(body: &[u8], edits: &Edits) -> Splices {
    let mut members: SmallVec<[Range<usize>; 8]> = edits
        .iter()
        .filter_map(|edit| match edit {
            Edit::Remove { member } => Some(member.clone()),
            Edit::Replace { .. } | Edit::Insert { .. } => None,
        })
        .collect();
    members.sort_unstable_by_key(|member| member.start);
    members.dedup();

    let mut splices = Splices::new();
    for member in members {
        let joined = splices.last().filter(|last| last.range.end == member.start).map(|last| last.range.start);
        if joined.is_some() {
            splices.pop();
        }
        let start = joined.unwrap_or(member.start);
        let next = skip_space(body, member.end);
        let range = if body.get(next) == Some(&b',') {
            start..skip_space(body, next + 1)
        } else {
            // The last one: the comma before it goes.
            comma_before(body, start).unwrap_or(start)..member.end
        };
        splices.push(Splice { range, with: Bytes::new() });
    }
    splices
}

/// The members that are added, behind the brace that opens the object.
fn front(body: &[u8], edits: &Edits, removals: &Splices) -> Option<Splice> {
    let mut text = BytesMut::new();
    for (place, edit) in edits.iter().enumerate() {
        let Edit::Insert { key, value } = edit else { continue };
        let again = |later: &Edit| matches!(later, Edit::Insert { key: name, .. } if name == key);
        if edits[place + 1..].iter().any(again) {
            continue;
        }
        if !text.is_empty() {
            text.put_u8(b',');
        }
        text.put_slice(key);
        text.put_u8(b':');
        text.put_slice(value);
    }
    if text.is_empty() {
        return None;
    }
    let at = skip_space(body, 0) + 1;
    let mut first = skip_space(body, at);
    if let Some(removal) = removals.first().filter(|removal| removal.range.start == first) {
        first = skip_space(body, removal.range.end);
    }
    if body.get(first) != Some(&b'}') {
        text.put_u8(b',');
    }
    Some(Splice { range: at..at, with: text.freeze() })
}

fn replacements(edits: Edits, mut splices: Splices) -> Splices {
    for edit in edits.into_iter().rev() {
        let Edit::Replace { range, with } = edit else { continue };
        if !splices.iter().any(|splice| overlap(&splice.range, &range)) {
            splices.push(Splice { range, with });
        }
    }
    // What is put in at a place comes before what is changed from there on.
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    splices
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a == b || a.start < b.end && b.start < a.end
}

fn skip_space(body: &[u8], from: usize) -> usize {
    let rest = body.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Where the comma stands that separates `at` from the member before it.
fn comma_before(body: &[u8], at: usize) -> Option<usize> {
    let last = body.get(..at)?.iter().rposition(|byte| !byte.is_ascii_whitespace())?;
    (body[last] == b',').then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan;

    fn edited(body: &str, edit: impl Fn(&Head, &Bytes) -> Edits) -> String {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let head = Head { fields: scan::top_level(&body).unwrap(), ..Head::default() };
        let segments = apply(&body, edit(&head, &body));
        String::from_utf8(segments.concat()).unwrap()
    }

    fn without(body: &str, names: &[&str]) -> String {
        edited(body, |head, body| names.iter().flat_map(|name| remove(head, body, name)).collect())
    }

    #[test]
    fn a_removed_member_takes_one_comma_with_it() {
        let cases = [
            (r#"{"a":1,"b":2,"c":3}"#, &["a"][..], r#"{"b":2,"c":3}"#),
            (r#"{"a":1,"b":2,"c":3}"#, &["b"], r#"{"a":1,"c":3}"#),
            (r#"{"a":1,"b":2,"c":3}"#, &["c"], r#"{"a":1,"b":2}"#),
            (r#"{"a":1,"b":2,"c":3}"#, &["a", "b"], r#"{"c":3}"#),
            (r#"{"a":1,"b":2,"c":3}"#, &["c", "b"], r#"{"a":1}"#),
            (r#"{"a":1,"b":2,"c":3}"#, &["a", "c"], r#"{"b":2}"#),
            (r#"{"a":1,"b":2,"c":3}"#, &["a", "b", "c"], "{}"),
            (r#"{"a":1,"b":2,"a":3}"#, &["a"], r#"{"b":2}"#),
            (r#"{"a":1,"a":3,"b":2}"#, &["a", "a"], r#"{"b":2}"#),
            (r#"{"a":1}"#, &["a"], "{}"),
            (" { \"a\" : 1 ,\n \"b\" : 2 } ", &["a"], " { \"b\" : 2 } "),
            (" { \"a\" : 1 ,\n \"b\" : 2 } ", &["b"], " { \"a\" : 1  } "),
            (" { \"a\" : 1 ,\n \"b\" : 2 } ", &["a", "b"], " {  } "),
            (r#"{"a":1,"b":",\"b\":2}"}"#, &["x"], r#"{"a":1,"b":",\"b\":2}"}"#),
        ];
        for (body, names, expected) in cases {
            assert_eq!(without(body, names), expected, "{body} without {names:?}");
        }
    }

    #[test]
    fn an_added_member_stands_first_with_a_comma_only_where_others_follow() {
        let added = |body: &str, gone: &'static str| {
            edited(body, |head, body| {
                let mut edits: Edits = remove(head, body, gone).collect();
                edits.push(set(head, body, "new", Bytes::from_static(b"true")));
                edits
            })
        };
        assert_eq!(added("{}", ""), r#"{"new":true}"#);
        assert_eq!(added(" { } ", ""), r#" {"new":true } "#);
        assert_eq!(added(r#"{"a":1}"#, ""), r#"{"new":true,"a":1}"#);
        assert_eq!(added(r#"{ "a":1}"#, "a"), r#"{"new":true }"#);
        assert_eq!(added(r#"{"a":1,"b":2}"#, "a"), r#"{"new":true,"b":2}"#);
        assert_eq!(added(r#"{"new": null}"#, ""), r#"{"new": true}"#);
    }

    #[test]
    fn of_two_changes_to_the_same_bytes_the_later_one_holds_and_removal_over_all() {
        let body = r#"{"a":{"x":1},"b":2}"#;
        let value = |text: &'static str| Bytes::from_static(text.as_bytes());
        let changed = |order: &[usize]| {
            edited(body, |head, body| {
                let field = head.fields.get(body, "a").unwrap();
                let inside = field.value().start + 1;
                let all = [
                    set(head, body, "a", value("1")),
                    Edit::Replace { range: inside..inside, with: value("\"y\":2,") },
                    Edit::remove(field),
                    Edit::insert("n", value("1")),
                    Edit::insert("n", value("2")),
                    Edit::rename(field, "A"),
                ];
                order.iter().map(|&place| all[place].clone()).collect()
            })
        };
        assert_eq!(changed(&[0, 1]), r#"{"a":{"y":2,"x":1},"b":2}"#);
        assert_eq!(changed(&[1, 0]), r#"{"a":1,"b":2}"#);
        assert_eq!(changed(&[2, 0, 1]), r#"{"b":2}"#);
        assert_eq!(changed(&[3, 4]), r#"{"n":2,"a":{"x":1},"b":2}"#);
        assert_eq!(changed(&[5, 0, 3]), r#"{"n":1,"A":1,"b":2}"#);
    }

    #[test]
    fn a_small_body_becomes_one_piece_and_a_large_one_is_not_copied() {
        let head_of = |body: &Bytes| Head { fields: scan::top_level(body).unwrap(), ..Head::default() };
        let small = Bytes::from_static(br#"{"model":"a","x":1}"#);
        let edits = Edits::from_iter([set(&head_of(&small), &small, "model", json_string("b"))]);
        assert_eq!(apply(&small, edits).as_slice(), [Bytes::from_static(br#"{"model":"b","x":1}"#)]);
        assert_eq!(apply(&small, Edits::new()).as_slice(), [small]);

        let large = Bytes::from(format!(r#"{{"model":"a","x":"{}"}}"#, "x".repeat(JOINED_BYTES_MAX)));
        let edits = Edits::from_iter([set(&head_of(&large), &large, "model", json_string("b"))]);
        let segments = apply(&large, edits);
        assert_eq!(segments.len(), 3);
        assert_eq!(segments[2].as_ptr(), large[12..].as_ptr());
    }

    #[test]
    fn a_text_is_written_as_json() {
        assert_eq!(json_string("a\"\\\n\u{1}é"), r#""a\"\\\n\u0001é""#);
    }
}
