//! The cost of a request in its own answer, for clients that ask for it (`"usage": {"include": true}`): `cost`,
//! `cost_details` and `is_byok` beside the counts. A provider that says what it cost is not contradicted.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use gw_core::{Cost, Nanodollars};
use gw_dialects::scan;
use memchr::memmem;

use crate::meter::Meter;
use crate::reply::{Content, Reply};

/// The reply, with the cost in it if it is whole and the client asked.
pub(crate) fn told_in(reply: Reply, meter: &Meter) -> Reply {
    match reply.content {
        Content::Whole(body, held) if meter.tells_cost() => {
            let told = match usage_of(&body, 0..body.len()) {
                Some(place) => insert(&body, &[place], meter),
                None => body,
            };
            Reply { content: Content::Whole(told, held), ..reply }
        }
        content => Reply { content, ..reply },
    }
}

/// Whole events of a stream, with the cost wherever they tell the usage.
pub(crate) fn told_in_events(events: Bytes, meter: &Meter) -> Bytes {
    if memmem::find(&events, b"\"usage\"").is_none() {
        return events;
    }
    let mut places = Vec::new();
    let mut start = 0;
    for line in events.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if let Some(data) = line.strip_prefix(b"data:") {
            let range = start + line.len() - data.len()..start + line.len();
            places.extend(usage_of(&events, range.clone()).or_else(|| within_response(&events, range)));
        }
        start += line.len() + 1;
    }
    if places.is_empty() { events } else { insert(&events, &places, meter) }
}

/// Where an object's `usage` can take a member, and whether there are others behind it.
struct Place {
    at: usize,
    is_empty: bool,
}

fn usage_of(text: &[u8], object: Range<usize>) -> Option<Place> {
    let usage = member(text, object, "usage")?;
    let members = scan::top_level(&text[usage.clone()]).ok()?;
    if members.get(&text[usage.clone()], "cost").is_some() {
        return None;
    }
    let open = text[usage.clone()].iter().position(|byte| *byte == b'{')?;
    Some(Place { at: usage.start + open + 1, is_empty: members.iter().next().is_none() })
}

/// The events of the Responses API hold the answer.
fn within_response(text: &[u8], event: Range<usize>) -> Option<Place> {
    usage_of(text, member(text, event, "response")?)
}

/// Where the value of a member stands, from the beginning of `text`.
fn member(text: &[u8], object: Range<usize>, name: &str) -> Option<Range<usize>> {
    let (start, object) = (object.start, &text[object]);
    let value = scan::top_level(object).ok()?.get(object, name)?.value();
    Some(start + value.start..start + value.end)
}

fn insert(text: &Bytes, places: &[Place], meter: &Meter) -> Bytes {
    let Some(cost) = meter.cost() else { return text.clone() };
    let members = members(&cost, meter);
    let mut told = BytesMut::with_capacity(text.len() + places.len() * (members.len() + 1));
    let mut from = 0;
    for place in places {
        told.extend_from_slice(&text[from..place.at]);
        told.extend_from_slice(members.as_bytes());
        if !place.is_empty {
            told.extend_from_slice(b",");
        }
        from = place.at;
    }
    told.extend_from_slice(&text[from..]);
    told.freeze()
}

/// What OpenRouter's clients look for besides: what the provider's prices make of the prompt, of the answer, and of all of
/// it. What has no price is in no sum: then it is left out.
fn of_openrouter(cost: &Cost) -> Vec<String> {
    let Some(total) = cost.total() else { return Vec::new() };
    let prompt = cost.components().filter(|(dimension, _)| dimension.is_input());
    let prompt: i64 = prompt.map(|(_, amount)| amount.0).sum();
    let completion = total.0.saturating_sub(prompt);
    vec![
        format!("\"upstream_inference_cost\":{total}"),
        format!("\"upstream_inference_prompt_cost\":{}", Nanodollars(prompt)),
        format!("\"upstream_inference_completions_cost\":{}", Nanodollars(completion)),
    ]
}

/// In dollars; what has no price is named, and then the whole is not known.
fn members(cost: &Cost, meter: &Meter) -> String {
    let is_byok = meter.uses_callers_key();
    let total = cost.total().map_or_else(|| "null".to_owned(), |total| total.to_string());
    let total = if meter.is_charged() { total } else { "0".to_owned() };
    let mut details: Vec<_> =
        cost.components().map(|(dimension, amount)| format!("\"{}\":{amount}", dimension.name())).collect();
    if meter.speaks_openrouter() {
        details.extend(of_openrouter(cost));
    }
    if !cost.unpriced().is_empty() {
        let names: Vec<_> = cost.unpriced().names().map(|name| format!("\"{name}\"")).collect();
        details.push(format!("\"unpriced\":[{}]", names.join(",")));
    }
    if meter.speaks_openrouter() && cost.total().is_none() {
        // Its clients want amounts there or nothing.
        return format!("\"cost\":null,\"is_byok\":{is_byok}");
    }
    format!("\"cost\":{total},\"cost_details\":{{{}}},\"is_byok\":{is_byok}", details.join(","))
}
