//! Values whose form is not ours alone: any JSON, conditions on requests, names of failures, targets within targets.

use granit_parser::ScalarStyle;
use gw_policy::condition::Query;
use gw_policy::failure::Class;
use serde_json::{Map, Number};

use crate::config::Spanned;
use crate::decode::{Decode, Decoder};
use crate::node::{Node, Value};
use crate::quantities::Status;
use crate::scalar::{Fault, Json, Kind, Scalar};
use crate::shape::{ANYTHING, Shape};
use crate::text::{nearest, quote};

/// The members of an object, each any value, as JSON would have it: what stands without quotes may be a number, true,
/// false or null.
pub(crate) struct FreeMembers(pub(crate) Map<String, serde_json::Value>);

impl Decode for FreeMembers {
    const SHAPE: &'static Shape = &Shape::Map(&ANYTHING);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        decoder.entries(node)?;
        match read(node, decoder)? {
            serde_json::Value::Object(members) => Some(Self(members)),
            _ => None,
        }
    }
}

/// Everything in it is looked at, so that every mistake is told.
fn read(node: &Node, decoder: &mut Decoder<'_>) -> Option<serde_json::Value> {
    match &node.value {
        Value::Scalar(_) if node.is_null() => Some(serde_json::Value::Null),
        Value::Scalar(scalar) => {
            let text = decoder.text(node, "a value")?.text;
            Some(if scalar.style == ScalarStyle::Plain { plain(&text) } else { text.as_str().into() })
        }
        Value::List(items) => {
            let read: Vec<_> = items
                .iter()
                .enumerate()
                .map(|(index, item)| decoder.within_item(index, |decoder| self::read(item, decoder)))
                .collect();
            read.into_iter().collect()
        }
        Value::Map(entries) => {
            let member = |decoder: &mut Decoder<'_>, node| self::read(node, decoder);
            let read: Vec<_> = entries
                .iter()
                .map(|entry| {
                    let value = decoder.within(&entry.key, |decoder| member(decoder, &entry.value))?;
                    Some((entry.key.clone(), value))
                })
                .collect();
            read.into_iter().collect::<Option<Map<_, _>>>().map(serde_json::Value::Object)
        }
    }
}

/// What is written without quotes, as JSON has it.
pub(crate) fn plain(text: &str) -> serde_json::Value {
    match text {
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ => text.parse::<Number>().map_or_else(|_| text.into(), serde_json::Value::Number),
    }
}

/// What another step reads.
pub(crate) struct Unread;

impl Decode for Unread {
    const SHAPE: &'static Shape = &Shape::Map(&ANYTHING);

    fn decode(_: &Node, _: &mut Decoder<'_>) -> Option<Self> {
        Some(Self)
    }
}

/// A condition on requests, in Portkey's form.
pub(crate) struct Condition(pub(crate) Query);

impl Decode for Condition {
    const SHAPE: &'static Shape = &Shape::Map(&ANYTHING);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let members = FreeMembers::decode(node, decoder)?;
        match Query::read(&serde_json::Value::Object(members.0)) {
            Ok(query) => Some(Self(query)),
            Err(mistake) => {
                let help = "write something like {\"metadata.plan\": {\"$eq\": \"paid\"}}; there are $eq, $ne, $in, \
                            $nin, $all, $gt, $gte, $lt, $lte, $regex, $and and $or";
                decoder.mistake(&node.place, format_args!("is no condition: {}", mistake.0), Some(help));
                None
            }
        }
    }
}

/// Failures as configurations name them: a class, a status, or all statuses that begin with a digit.
#[derive(Clone, Copy)]
pub(crate) enum FailureName {
    Class(Class),
    Status(u16),
    /// `5xx`.
    Hundred(u16),
}

impl FailureName {
    fn parse(text: &str) -> Option<Self> {
        let folded = text.to_ascii_lowercase().replace('-', "_");
        match folded.as_str() {
            "4xx" => Some(Self::Hundred(400)),
            "5xx" => Some(Self::Hundred(500)),
            _ => match Status::parse(text) {
                Ok(status) => Some(Self::Status(status.0)),
                Err(_) => Class::from_name(&folded).map(Self::Class),
            },
        }
    }

    fn check(text: &str) -> Result<(), Fault> {
        let fault = || Fault::new("is neither a class of failures nor a status", "see the reference");
        Self::parse(text).map(drop).ok_or_else(fault)
    }
}

impl Decode for FailureName {
    const SHAPE: &'static Shape =
        &Shape::Scalar(Kind { name: "a class of failures or a status", json: Json::Text, check: Self::check });

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let resolved = decoder.text(node, "a class of failures or a status")?;
        let found = Self::parse(&resolved.text);
        if found.is_none() {
            let names = || Class::ALL.iter().flat_map(|class| class.aliases().iter().copied().chain([class.name()]));
            // What came from elsewhere must not be guessed at: the guess would tell it.
            let near = if resolved.literal { nearest(&resolved.text, names()) } else { None };
            let help = near.map_or_else(
                || {
                    let all: Vec<_> = Class::ALL.iter().map(|class| class.name()).collect();
                    format!("write a status, 4xx, 5xx, or one of {}", all.join(", "))
                },
                |near| format!("did you mean {}?", quote(near)),
            );
            let predicate = format!("is neither a class of failures nor a status: {}", resolved.shown);
            decoder.mistake(&node.place, predicate, Some(&help));
        }
        found
    }
}

/// Statuses: one, or a list.
pub(crate) struct Statuses(pub(crate) Vec<u16>);

impl Decode for Statuses {
    const SHAPE: &'static Shape = &Shape::Either(Status::SHAPE, &Shape::List(Status::SHAPE));

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(_) => Status::decode(node, decoder).map(|status| Self(vec![status.0])),
            Value::List(_) | Value::Map(_) => {
                let statuses: Vec<Spanned<Status>> = Vec::decode(node, decoder)?;
                Some(Self(statuses.iter().map(|status| status.value.0).collect()))
            }
        }
    }
}

/// Targets within a target. Their form is that of the targets around them, which no table can say of itself.
pub(crate) struct Nested<T>(pub(crate) Vec<Spanned<T>>);

impl<T: Decode> Decode for Nested<T> {
    const SHAPE: &'static Shape = &Shape::List(&ANYTHING);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        Vec::decode(node, decoder).map(Self)
    }
}
