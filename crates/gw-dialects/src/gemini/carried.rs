//! Thoughts beside calls. Some clients (Gemini CLI) take what the model thought out of the conversation and keep its calls,
//! each with the signature that stands beside it. Other vendors sign the thoughts alone, and want them back unchanged: a
//! call carries those before it, text and state.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gw_core::chat::opaque::SEAL;
use gw_core::chat::{Opaque, Part, Reasoning};

use super::FAMILY;
use crate::shared::media;

/// A call that carries more is not the gateway's work.
const THOUGHTS_MAX: usize = 64;

/// Thoughts that wait for the call that carries them.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<(String, String)>);

impl Waiting {
    /// What the model thought, and the state of it. Google signs its calls itself.
    pub(super) fn add(&mut self, text: &str, opaque: &Opaque) {
        if opaque.family != FAMILY {
            self.0.push((opaque.seal(FAMILY), text.to_owned()));
        }
    }

    /// The `thoughtSignature` of the call that comes next; `None` if nothing waits.
    pub(super) fn take(&mut self) -> Option<String> {
        let thoughts = std::mem::take(&mut self.0);
        // Texts can be written.
        let list = serde_json::to_string(&thoughts).unwrap_or_default();
        (!thoughts.is_empty()).then(|| STANDARD.encode(format!("{SEAL}{list}")))
    }
}

/// The thoughts that a call's `thoughtSignature` carries; `None` if it is a signature.
pub(super) fn read(signature: &str) -> Option<Vec<Reasoning>> {
    let carried = String::from_utf8(media::bytes(signature)?).ok()?;
    let thoughts: Vec<(String, String)> = serde_json::from_str(carried.strip_prefix(SEAL)?).ok()?;
    let thoughts = thoughts.into_iter().take(THOUGHTS_MAX).map(|(seal, text)| Reasoning {
        is_summary: !text.is_empty(),
        opaque: Some(Opaque::open(&seal, FAMILY)),
        text,
        id: None,
    });
    Some(thoughts.collect())
}

/// Puts the thoughts that the next call carries before what the model said since its last call, as far as they are not
/// there: some clients keep them.
pub(super) fn restore(parts: &mut Vec<Part>, thoughts: Vec<Reasoning>) {
    let start = parts.iter().rposition(|part| matches!(part, Part::ToolCall(_))).map_or(0, |call| call + 1);
    let mut missing = Vec::new();
    for thought in thoughts {
        let mut said = parts.iter_mut().skip(start).filter_map(|part| match part {
            Part::Reasoning(said) => Some(said),
            _ => None,
        });
        let same =
            |said: &&mut Reasoning| said.opaque == thought.opaque || said.opaque.is_none() && said.text == thought.text;
        match said.find(same) {
            Some(said) => said.opaque = thought.opaque,
            None => missing.push(Part::Reasoning(thought)),
        }
    }
    parts.splice(start..start, missing);
}

#[cfg(test)]
mod tests {
    use gw_core::chat::{Family, OpaqueKind, ToolCall};
    use serde_json::{Value, json};

    use super::super::{SEALED_STATE, signature};
    use super::*;
    use crate::chat::{Ingress, RequestLine};
    use crate::gemini::Gemini;

    fn state(data: &str) -> Opaque {
        let (family, provider) = (Family::Anthropic, "claude".to_owned());
        Opaque { family, provider, kind: OpaqueKind::Signature, data: data.to_owned() }
    }

    fn thought(text: &str, data: &str) -> Part {
        let opaque = Some(state(data));
        Part::Reasoning(Reasoning { text: text.to_owned(), is_summary: !text.is_empty(), opaque, id: None })
    }

    fn call(id: &str) -> Part {
        Part::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), ..ToolCall::default() })
    }

    /// What the model said, by the pieces in which the client keeps it.
    fn read(pieces: &[Value]) -> Vec<Part> {
        let contents: Vec<_> = pieces.iter().map(|parts| json!({"role": "model", "parts": parts})).collect();
        let body = json!({"contents": contents}).to_string();
        let line = RequestLine { model: Some("m"), stream: Some(false), headers: None };
        Gemini.decode_request(&line, body.as_bytes()).unwrap().messages.remove(0).parts
    }

    fn carried(thoughts: &[(&str, &str)]) -> String {
        let mut waiting = Waiting::default();
        thoughts.iter().for_each(|(text, data)| waiting.add(text, &state(data)));
        waiting.take().unwrap()
    }

    #[test]
    fn thoughts_that_a_client_dropped_come_back_before_what_was_said_with_their_call() {
        let calls = |id: &str, signature: Option<String>| {
            let mut part = json!({"functionCall": {"id": id, "name": "f"}});
            part.as_object_mut().unwrap().extend(signature.map(|is| ("thoughtSignature".to_owned(), is.into())));
            part
        };
        let (first, second) = (carried(&[("Hm", "a"), ("", "b")]), carried(&[("So", "c")]));
        let pieces = [
            json!([{"text": "I look."}]),
            json!([calls("1", Some(first.clone())), calls("2", None)]),
            json!([calls("3", Some(second.clone()))]),
        ];
        let said = [thought("Hm", "a"), thought("", "b"), "I look.".into(), call("1"), call("2")];
        let said = said.into_iter().chain([thought("So", "c"), call("3")]).collect::<Vec<_>>();
        assert_eq!(read(&pieces), said);

        let kept = [
            json!([{"text": "Hm", "thought": true}, {"text": "", "thought": true, "thoughtSignature": signature(&state("a"))}]),
            json!([{"text": "", "thoughtSignature": signature(&state("b"))}, {"text": "I look."}]),
            json!([calls("1", Some(first)), calls("2", None), {"text": "So", "thought": true}]),
            json!([calls("3", Some(second))]),
        ];
        assert_eq!(read(&kept), said, "what a client kept is not there twice");
    }

    #[test]
    fn what_a_call_carries_is_known_for_anothers_and_a_signature_is_not() {
        let carried = carried(&[("Hm", "a")]);
        assert_eq!(read(&[json!([{"text": "Hi", "thoughtSignature": carried}])]).len(), 1);
        for sealed in [carried, signature(&state("a"))] {
            assert!(format!("\"{sealed}\"").starts_with(SEALED_STATE), "{sealed}");
        }
        for signature in ["", "c2ln", "Z3cxLg==", "Z3cxLltb", "é"] {
            assert_eq!(super::read(signature), None);
        }
    }

    #[test]
    fn googles_own_state_is_left_to_google() {
        let mut waiting = Waiting::default();
        waiting.add("Hm", &Opaque { family: FAMILY, ..state("a") });
        assert_eq!(waiting.take(), None);
    }
}
