//! What a client is told where its answer is not from the first choice: that a lesser model answered, and in the body,
//! where the configuration wants it, that somebody else did.

use std::fmt::Write as _;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use gw_dialects::edit::{self, Edit, Edits};
use gw_dialects::{DialectId, scan};
use gw_policy::auto::Class;
use gw_policy::balance::Balance;
use gw_policy::plan::{Node, Plan, Standing, Strategy};
use gw_providers::catalog::models::Tier;
use serde_json::json;

use crate::engine::Resolved;
use crate::meter::Meter;
use crate::reply::{Content, Reply};
use crate::routing::Way;
use crate::snapshot::Snapshot;

/// What is said when a lesser model answered, if the configuration has no words of its own.
const DOWNGRADED: &str = "現在バックアップモデルを使用中。品質が低下する可能性があります";

/// What there is to tell of one request.
#[derive(Default)]
pub(crate) struct Notices {
    /// Who would have been asked first, where that is not who answers now.
    pub(crate) first_choice: Option<Rc<Resolved>>,
    /// A lesser model answers than the first choice.
    pub(crate) is_downgraded: bool,
    /// The client wants to be told of each attempt.
    pub(crate) tells_attempts: bool,
    /// The class of the conversation, where its model was chosen by that.
    pub(crate) class: Option<Class>,
    /// Members for the first chunk of a stream.
    first_chunk: Option<Members>,
}

/// Members of an object, by their names; the values are JSON.
type Members = Vec<(&'static str, Bytes)>;

impl Notices {
    /// Puts a member into the next chunk of a stream.
    pub(crate) fn tell_in_next_chunk(&mut self, name: &'static str, value: Bytes) {
        self.first_chunk.get_or_insert_default().push((name, value));
    }

    /// Whether something is to be put into a stream's first chunk.
    pub(crate) fn awaits_first_chunk(&self) -> bool {
        self.first_chunk.is_some()
    }
}

/// The target that the request would have gone to first, and how it stands, if the plan has left it out. A member that
/// its group chose by a measure or by chance stands in for nobody.
pub(crate) fn passed_over<'a>(way: &'a Way, plan: &Plan<Rc<Resolved>>) -> Option<(&'a Rc<Resolved>, Standing)> {
    let first = &plan.steps.first()?.target;
    (!plan.left_out.is_empty()).then(|| before(way.node(), first, plan)).flatten()
}

/// The same, of the targets before this one in a tree that holds it.
fn before<'a>(
    node: &'a Node<Rc<Resolved>>,
    chosen: &Rc<Resolved>,
    plan: &Plan<Rc<Resolved>>,
) -> Option<(&'a Rc<Resolved>, Standing)> {
    let Node::Group(group) = node else { return None };
    let leaves_out = |target: &&'a Rc<Resolved>| {
        let left = plan.left_out.iter().find(|left| Rc::ptr_eq(&left.target, target))?;
        Some((*target, left.standing))
    };
    for member in &group.members {
        let targets = member.node.targets();
        if targets.iter().any(|target| Rc::ptr_eq(target, chosen)) {
            return before(&member.node, chosen, plan);
        }
        if matches!(group.strategy, Strategy::Balance(Balance::Priority))
            && let Some(left) = targets.iter().find_map(leaves_out)
        {
            return Some(left);
        }
    }
    None
}

/// The reply, with what there is to tell of who gave it.
pub(crate) fn told(reply: Reply, snapshot: &Snapshot, dialect: DialectId, meter: &mut Meter) -> Reply {
    let is_downgraded = match (meter.notices().first_choice.as_deref(), meter.resolved()) {
        (Some(first), Some(used)) if !is_same(first, used) => is_lesser(snapshot, used, first),
        (Some(_), _) | (None, _) => return reply,
    };
    let notice = &snapshot.notice;
    let words = notice.downgrade.as_deref().unwrap_or(DOWNGRADED);
    if is_downgraded {
        meter.notices_mut().is_downgraded = true;
        meter.warn(&in_ascii(words));
    }
    let Some(marker) = notice.fallback_marker.as_deref().filter(|_| dialect == DialectId::OpenAiChat) else {
        return reply;
    };
    let mut members = vec![("provider", edit::json_string(marker))];
    if is_downgraded {
        members.push(("gateway", Bytes::from(json!({ "warnings": [words] }).to_string())));
    }
    match reply.content {
        Content::Whole(body, held) => {
            let marked = with_members(&body, &members).unwrap_or(body);
            Reply { content: Content::Whole(marked, held), ..reply }
        }
        content => {
            meter.notices_mut().first_chunk = Some(members);
            Reply { content, ..reply }
        }
    }
}

/// Whole events, with what is to be told in the first chunk, if it is among them.
pub(crate) fn in_first_chunk(events: Bytes, meter: &mut Meter) -> Bytes {
    let Some(members) = &meter.notices().first_chunk else { return events };
    let mut start = 0;
    for line in events.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if let Some(data) = line.strip_prefix(b"data:") {
            let (from, to) = (start + line.len() - data.len(), start + line.len());
            if let Some(marked) = with_members(&events.slice(from..to), members) {
                let whole = [&events[..from], &marked, &events[to..]].concat();
                meter.notices_mut().first_chunk = None;
                return Bytes::from(whole);
            }
        }
        start += line.len() + 1;
    }
    events
}

/// The object with these members; `None` if it is none.
fn with_members(object: &Bytes, members: &[(&'static str, Bytes)]) -> Option<Bytes> {
    let fields = scan::top_level(object).ok()?;
    let edits: Edits = members
        .iter()
        .map(|(name, value)| match fields.get(object, name) {
            Some(field) => Edit::replace_value(field, value.clone()),
            None => Edit::insert(name, value.clone()),
        })
        .collect();
    let mut whole = BytesMut::with_capacity(object.len() + 64);
    edit::apply(object, edits).iter().for_each(|piece| whole.extend_from_slice(piece));
    Some(whole.freeze())
}

fn is_same(one: &Resolved, other: &Resolved) -> bool {
    (&one.choice.provider.name, &one.choice.model) == (&other.choice.provider.name, &other.choice.model)
}

/// Whether a model is a lesser one than the first choice. Of one that stands in and of which nothing is known, that is
/// assumed.
fn is_lesser(snapshot: &Snapshot, used: &Resolved, first: &Resolved) -> bool {
    let (used_tier, first_tier) = (tier(snapshot, used), tier(snapshot, first));
    let is_unknown = used_tier.0.is_none() || first_tier.0.is_none();
    used_tier < first_tier || (is_unknown && used.target_settings.stands_in)
}

/// How able a model is; models of which nothing is known are neither better nor worse than any.
fn tier(snapshot: &Snapshot, resolved: &Resolved) -> KnownTier {
    let facts = snapshot.pricing.facts(&resolved.choice.provider, &resolved.choice.model);
    KnownTier(facts.and_then(|facts| facts.model.tier))
}

#[derive(PartialEq)]
struct KnownTier(Option<Tier>);

impl PartialOrd for KnownTier {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.0?.cmp(&other.0?))
    }
}

/// A text for a header: what is not ASCII is percent-encoded UTF-8, as `decodeURIComponent` reads it.
fn in_ascii(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (byte.is_ascii_graphic() && byte != b'%') || byte == b' ' {
            told.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(told, "%{byte:02X}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_added_and_one_that_is_there_is_written_over() {
        let members = vec![("provider", Bytes::from_static(b"\"backup\""))];
        for (object, expected) in [
            (r#"{"id":"1"}"#, r#"{"provider":"backup","id":"1"}"#),
            (r#"{"id":"1","provider":"x"}"#, r#"{"id":"1","provider":"backup"}"#),
            ("{}", r#"{"provider":"backup"}"#),
        ] {
            let told = with_members(&Bytes::from(object), &members).unwrap();
            assert_eq!(std::str::from_utf8(&told).unwrap(), expected);
        }
        assert_eq!(with_members(&Bytes::from_static(b"[DONE]"), &members), None);
    }

    #[test]
    fn a_text_in_a_header_is_ascii_and_can_be_read_back() {
        assert_eq!(in_ascii("50 % less: 品\n"), "50 %25 less: %E5%93%81%0A");
    }
}
