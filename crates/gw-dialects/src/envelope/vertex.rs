//! Google's Vertex AI: Claude behind `rawPredict`, Gemini under the publisher's name. Facts are from Anthropic's Python SDK
//! 2.12.0 (`lib/vertex`) and from the API's description (`vertex-aiplatform-v1`), unless a comment says otherwise.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::{ANTHROPIC_VERSION, Envelope, Letter, VERSION_MEMBER, segment};
use crate::anthropic_messages::VERSION_WITHOUT_SAMPLING;
use crate::edit::{self, Edit, Edits};
use crate::gemini;
use crate::head::Head;
use crate::scan;

/// Vertex AI's name for the version of Anthropic's API that still has sampling.
const VERSION: &str = "vertex-2023-10-16";

/// Which service a request wants, at a provider whose body has no member for it (Google, "Priority and Flex").
const SERVICE: HeaderName = HeaderName::from_static("x-vertex-ai-llm-shared-request-type");
const SERVICE_MEMBERS: [&str; 2] = ["serviceTier", "service_tier"];

/// Anthropic's Messages. `stream` stays in the body, betas stay in their header.
#[derive(Debug)]
pub(super) struct Claude;

/// The count of a Messages request: the body names the model, the path names the count.
#[derive(Debug)]
pub(super) struct ClaudeCount;

/// Google's own `generateContent`.
#[derive(Debug)]
pub(super) struct Gemini;

/// Google's own `countTokens`.
#[derive(Debug)]
pub(super) struct GeminiCount;

impl Envelope for Claude {
    fn path(&self, model: &str, stream: bool) -> String {
        let verb = if stream { "streamRawPredict" } else { "rawPredict" };
        format!("/models/{}:{verb}", segment(bare(model, "anthropic")))
    }

    fn wrap(&self, letter: &mut Letter<'_>) {
        version(letter);
        letter.edits.extend(edit::remove(letter.head, letter.body, "model"));
    }
}

impl Envelope for ClaudeCount {
    fn path(&self, _model: &str, _stream: bool) -> String {
        "/models/count-tokens:rawPredict".to_owned()
    }

    fn wrap(&self, letter: &mut Letter<'_>) {
        version(letter);
    }

    fn keeps_model(&self) -> bool {
        true
    }
}

impl Envelope for Gemini {
    fn path(&self, model: &str, stream: bool) -> String {
        gemini::path(bare(model, "google"), stream)
    }

    fn wrap(&self, letter: &mut Letter<'_>) {
        for name in SERVICE_MEMBERS {
            let Some(field) = letter.head.fields.get(letter.body, name) else { continue };
            // What is no known service stays, and is refused in the provider's words.
            let Some(service) = service(&letter.body[field.value()]) else { continue };
            if let Service::Named(name) = service {
                letter.headers.insert(SERVICE, HeaderValue::from_static(name));
            }
            letter.edits.extend(edit::remove(letter.head, letter.body, name));
        }
        // Clients of the Gemini API may repeat it there.
        letter.edits.extend(edit::remove(letter.head, letter.body, "model"));
    }
}

impl Envelope for GeminiCount {
    fn path(&self, model: &str, _stream: bool) -> String {
        gemini::count_path(bare(model, "google"))
    }

    fn wrap(&self, letter: &mut Letter<'_>) {
        letter.edits.extend(edit::remove(letter.head, letter.body, "model"));
        // AI Studio has a whole request as a member, Vertex AI has its members.
        let Some(field) = letter.head.fields.get(letter.body, "generateContentRequest") else { return };
        let request = letter.body.slice(field.value());
        if let Some(inside) = counted(&request) {
            let range = 0..letter.body.len();
            letter.edits = Edits::from_iter([Edit::Replace { range, with: inside }]);
        }
    }
}

/// Of a request what Vertex AI counts.
fn counted(request: &Bytes) -> Option<Bytes> {
    const COUNTED: [&str; 7] = [
        "contents",
        "instances",
        "tools",
        "systemInstruction",
        "system_instruction",
        "generationConfig",
        "generation_config",
    ];
    let head = Head { fields: scan::top_level(request).ok()?, ..Head::default() };
    let others = head.fields.iter().filter(|field| {
        let name = field.name(request);
        !COUNTED.iter().any(|known| known.as_bytes() == &*name)
    });
    let edits = others.map(Edit::remove).collect();
    Some(Bytes::from(edit::apply(request, edits).concat()))
}

/// Says the version in the body: the platform's name for what the header says, unless the body has one.
fn version(letter: &mut Letter<'_>) {
    let said = letter.headers.remove(ANTHROPIC_VERSION);
    if letter.head.fields.get(letter.body, VERSION_MEMBER).is_some() {
        return;
    }
    let is_new = said.is_some_and(|said| said == VERSION_WITHOUT_SAMPLING);
    let version = if is_new { VERSION_WITHOUT_SAMPLING } else { VERSION };
    letter.edits.push(Edit::insert(VERSION_MEMBER, edit::json_string(version)));
}

/// The name of a model without that of its publisher, which the path has already.
fn bare<'a>(model: &'a str, publisher: &str) -> &'a str {
    model.strip_prefix(publisher).and_then(|rest| rest.strip_prefix('/')).unwrap_or(model)
}

/// What is said of the service that a request wants.
enum Service {
    Usual,
    Named(&'static str),
}

fn service(written: &[u8]) -> Option<Service> {
    let Ok(word) = serde_json::from_slice::<Option<String>>(written) else { return None };
    let word = word.unwrap_or_default().to_ascii_lowercase();
    Some(match word.trim_start_matches("service_tier_") {
        "flex" => Service::Named("flex"),
        "priority" => Service::Named("priority"),
        "" | "unspecified" | "standard" => Service::Usual,
        _ => return None,
    })
}
