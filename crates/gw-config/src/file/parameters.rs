//! `providers[].parameters` and `providers[].model_settings`: as written.

use granit_parser::ScalarStyle;
use serde_json::{Map, Value as JsonValue};

use crate::config::Spanned;
use crate::decode::{Decode, Decoder, Pairs};
use crate::names::ModelName;
use crate::node::{Node, Value};
use crate::section::section;
use crate::shape::{ANYTHING, Shape};

section! {
    /// What is changed in the parameters of a provider's requests for text, in the words of its own format. A point leads
    /// into an object: `generationConfig.temperature`.
    Parameters {
        /// Values of parameters that a request does not say.
        default: Pairs<Json>;
        /// Values of parameters, whatever a request says.
        fixed: Pairs<Json>;
        /// Parameters that are left out. The answer's header `X-Gateway-Dropped-Params` names them.
        drop: Vec<Spanned<String>>;
        /// Parameters, and the names that they have there.
        rename: Pairs<String>;
    }
}

section! {
    /// What is peculiar to a model there.
    ModelSettings {
        /// The model's name there, or how it begins, with a `*` behind it. Of several that fit, the first counts.
        model: ModelName, required;
        /// What is changed in the parameters besides what the provider's `parameters` say; of the same parameter, this
        /// counts.
        parameters: Parameters;
        /// Whether tools are described to it in words, and its calls read from its text; what the provider's
        /// `emulate_tools` says if left out.
        emulate_tools: bool;
    }
}

/// Any value, as JSON.
pub(crate) struct Json(pub(crate) JsonValue);

impl Decode for Json {
    const SHAPE: &'static Shape = &ANYTHING;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let value = match &node.value {
            Value::Scalar(_) if node.is_null() => JsonValue::Null,
            Value::Scalar(scalar) => {
                let text = decoder.text(node, "a value")?.text.to_string();
                if scalar.style == ScalarStyle::Plain { plain(text) } else { JsonValue::String(text) }
            }
            Value::List(items) => {
                let decode = |(index, item)| decoder.within_item(index, |decoder| Self::decode(item, decoder));
                let items: Option<Vec<Self>> = items.iter().enumerate().map(decode).collect();
                JsonValue::Array(items?.into_iter().map(|item| item.0).collect())
            }
            Value::Map(entries) => {
                let mut members = Map::new();
                for entry in entries {
                    let value = decoder.within(&entry.key, |decoder| Self::decode(&entry.value, decoder))?;
                    members.insert(entry.key.clone(), value.0);
                }
                JsonValue::Object(members)
            }
        };
        Some(Self(value))
    }
}

/// What is written without quotes: a number or a truth value if it is one, else a text.
fn plain(text: String) -> JsonValue {
    match text.as_str() {
        "true" | "True" | "TRUE" => JsonValue::Bool(true),
        "false" | "False" | "FALSE" => JsonValue::Bool(false),
        number => match serde_json::from_str(number) {
            Ok(value @ JsonValue::Number(_)) => value,
            Ok(_) | Err(_) => JsonValue::String(text),
        },
    }
}
