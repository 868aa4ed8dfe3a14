//! A stream as OpenAI writes it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bytes::BytesMut;
use gw_core::chat::{Block, Delta, Event, Family, Finish, MediaKind, Opaque, Reasoning};
use gw_core::{Error, Usage};
use serde_json::{Map, Value, json};

use crate::chat::{Asked, EncodeEvents};
use crate::openai_chat::{answer, finish, reasoning};
use crate::sse::EVENT_BYTES_MAX;

/// Writes a stream.
pub(in crate::openai_chat) struct Encoder {
    asked: Asked,
    id: String,
    model: String,
    created_s: u64,
    /// What each chunk says of the whole answer: the tier, the fingerprint.
    about: Map<String, Value>,
    /// What only the last chunk of an answer says.
    extra: Map<String, Value>,
    lanes: BTreeMap<u32, Lane>,
    blocks: BTreeMap<u32, Open>,
    usage: Option<Usage>,
}

/// One of the answers.
#[derive(Default)]
struct Lane {
    calls: u32,
    details: u32,
    refuses: bool,
}

/// A block that is open.
struct Open {
    candidate: u32,
    kind: Kind,
    /// What must be told whole: thoughts, for the state behind them; a picture.
    held: String,
    /// Whether anything was told of it.
    is_told: bool,
}

/// What is open.
enum Kind {
    Text,
    Refusal,
    Reasoning { id: Option<String>, is_summary: bool },
    Call { index: u32, is_custom: bool },
    OlderCall,
    Picture { media_type: String, state: Option<Opaque> },
    Speech { id: String },
    Silent,
}

impl Encoder {
    /// The answer to that.
    pub(in crate::openai_chat) fn new(asked: Asked) -> Self {
        Self {
            id: answer::id("", &asked),
            model: asked.request.model.clone(),
            created_s: asked.now_s,
            asked,
            about: Map::new(),
            extra: Map::new(),
            lanes: BTreeMap::new(),
            blocks: BTreeMap::new(),
            usage: None,
        }
    }

    /// Writes a chunk with more of an answer, and before the first the role.
    fn say(&mut self, candidate: u32, delta: &Value, out: &mut BytesMut) {
        self.begin(candidate, out);
        self.choice(candidate, delta, &Value::Null, None, out);
    }

    fn begin(&mut self, candidate: u32, out: &mut BytesMut) {
        if let Entry::Vacant(entry) = self.lanes.entry(candidate) {
            entry.insert(Lane::default());
            let delta = json!({"role": "assistant", "content": "", "refusal": null});
            self.choice(candidate, &delta, &Value::Null, None, out);
        }
    }

    fn choice(&self, candidate: u32, delta: &Value, logprobs: &Value, ended: Option<&Finish>, out: &mut BytesMut) {
        let mut choice = json!({"index": candidate, "delta": delta, "logprobs": logprobs, "finish_reason": null});
        let mut extra = Map::new();
        if let (Some(ended), Value::Object(choice)) = (ended, &mut choice) {
            let lane = self.lanes.get(&candidate);
            let (calls, refuses) = lane.map_or((false, false), |lane| (lane.calls > 0, lane.refuses));
            let word = finish::word(ended.reason, calls, refuses);
            let is_older = self.asked.request.older_functions;
            let word = if is_older { finish::older_word(word) } else { word };
            choice.insert("finish_reason".to_owned(), word.into());
            if let Some(native) = finish::native(ended) {
                choice.insert("native_finish_reason".to_owned(), native.into());
            }
            extra = self.extra.clone();
        }
        // Official libraries want the key on every chunk once the usage is asked for.
        let usage = self.asked.request.include_usage.then_some(Value::Null);
        self.chunk(json!([choice]), extra, usage, out);
    }

    fn chunk(&self, choices: Value, extra: Map<String, Value>, usage: Option<Value>, out: &mut BytesMut) {
        let mut chunk = Map::from_iter([
            ("id".to_owned(), Value::from(self.id.as_str())),
            ("object".to_owned(), Value::from("chat.completion.chunk")),
            ("created".to_owned(), Value::from(self.created_s)),
            ("model".to_owned(), Value::from(self.model.as_str())),
        ]);
        chunk.extend(self.about.clone());
        chunk.insert("choices".to_owned(), choices);
        chunk.extend(extra);
        if let Some(usage) = usage {
            chunk.insert("usage".to_owned(), usage);
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(Value::Object(chunk).to_string().as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    fn open(&mut self, index: u32, candidate: u32, block: &Block, out: &mut BytesMut) {
        self.begin(candidate, out);
        let kind = match block {
            Block::Text => Kind::Text,
            Block::Refusal => {
                self.lanes.entry(candidate).or_default().refuses = true;
                Kind::Refusal
            }
            Block::Reasoning { id, is_summary } => Kind::Reasoning { id: id.clone(), is_summary: *is_summary },
            Block::ToolCall { name, .. } if self.asked.request.older_functions => self.older_call(candidate, name, out),
            Block::ToolCall { id, name, is_custom } => {
                let lane = self.lanes.entry(candidate).or_default();
                let index = lane.calls;
                lane.calls += 1;
                let call = if *is_custom {
                    json!({"index": index, "id": id, "type": "custom", "custom": {"name": name, "input": ""}})
                } else {
                    json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}})
                };
                self.say(candidate, &json!({"tool_calls": [call]}), out);
                Kind::Call { index, is_custom: *is_custom }
            }
            Block::Media { kind: MediaKind::Image, media_type } => {
                Kind::Picture { media_type: media_type.clone(), state: None }
            }
            Block::Media { kind: MediaKind::Audio, .. } => {
                Kind::Speech { id: format!("audio_{}_{candidate}", self.asked.request_id) }
            }
            Block::Native(native) if native.family == Family::OpenAiChat && native.kind == "image_url" => {
                self.say(candidate, &json!({"images": [native.value]}), out);
                Kind::Silent
            }
            // Nothing in this dialect is like it. Least of all a call: the client would try to run it.
            Block::Media { .. } | Block::Native(_) => Kind::Silent,
        };
        self.blocks.insert(index, Open { candidate, kind, held: String::new(), is_told: false });
    }

    /// A call in the older way, of which there can be one, and which has no id.
    fn older_call(&mut self, candidate: u32, name: &str, out: &mut BytesMut) -> Kind {
        let lane = self.lanes.entry(candidate).or_default();
        lane.calls += 1;
        if lane.calls > 1 {
            return Kind::Silent;
        }
        self.say(candidate, &json!({"function_call": {"name": name, "arguments": ""}}), out);
        Kind::OlderCall
    }

    fn more(&mut self, index: u32, delta: &Delta, out: &mut BytesMut) {
        let Some(open) = self.blocks.get_mut(&index) else { return };
        let candidate = open.candidate;
        if let (Delta::Opaque(opaque), Kind::Picture { state, .. }) = (delta, &mut open.kind) {
            *state = Some(opaque.clone());
            return;
        }
        let written = match (delta, &open.kind) {
            (Delta::Logprobs(tokens), kind) => {
                let (member, other) =
                    if matches!(kind, Kind::Refusal) { ("refusal", "content") } else { ("content", "refusal") };
                let logprobs = json!({member: tokens, other: null});
                return self.choice(candidate, &json!({}), &logprobs, None, out);
            }
            (Delta::Text(text), _) => open.text(text),
            (Delta::Citation(citation), _) => {
                answer::annotation(citation).map(|annotation| json!({"annotations": [annotation]}))
            }
            (Delta::Opaque(opaque), Kind::Reasoning { id, is_summary }) => {
                let thought = Reasoning {
                    id: id.clone(),
                    text: std::mem::take(&mut open.held),
                    is_summary: *is_summary,
                    opaque: Some(opaque.clone()),
                };
                let mut entries = reasoning::details(&thought);
                let lane = self.lanes.entry(candidate).or_default();
                for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                    entry.entry("index").or_insert_with(|| Value::from(lane.details));
                    lane.details += 1;
                }
                Some(json!({"reasoning_details": entries}))
            }
            (Delta::Opaque(opaque), Kind::Call { index, is_custom }) => {
                let state = answer::signature(&opaque.seal(Family::Gemini));
                let mut call = json!({"index": index, "extra_content": state});
                if !is_custom {
                    // SDKs put a call together from its `function`, and break where a piece has none.
                    call["function"] = json!({"arguments": ""});
                }
                Some(json!({"tool_calls": [call]}))
            }
            (Delta::Opaque(_), Kind::OlderCall) => None,
            (Delta::Opaque(opaque), _) => {
                Some(json!({"extra_content": answer::signature(&opaque.seal(Family::Gemini))}))
            }
        };
        if let Some(written) = written {
            self.say(candidate, &written, out);
        }
    }

    fn close(&mut self, index: u32, out: &mut BytesMut) {
        let Some(open) = self.blocks.remove(&index) else { return };
        let written = match open.kind {
            // Clients parse what came together, and nothing is not JSON.
            Kind::Call { index, is_custom: false } if !open.is_told => {
                Some(json!({"tool_calls": [{"index": index, "function": {"arguments": "{}"}}]}))
            }
            Kind::OlderCall if !open.is_told => Some(json!({"function_call": {"arguments": "{}"}})),
            Kind::Picture { media_type, state } => {
                Some(json!({"images": [answer::picture(&media_type, &open.held, state.as_ref())]}))
            }
            _ => None,
        };
        if let Some(written) = written {
            self.say(open.candidate, &written, out);
        }
    }
}

impl Open {
    /// More text of what is open.
    fn text(&mut self, text: &str) -> Option<Value> {
        // A call's arguments may begin with blanks; only those are as good as none.
        self.is_told |= !text.trim().is_empty();
        if matches!(self.kind, Kind::Reasoning { .. } | Kind::Picture { .. })
            && self.held.len() + text.len() <= EVENT_BYTES_MAX
        {
            self.held.push_str(text);
        }
        match &self.kind {
            Kind::Text => Some(json!({"content": text})),
            Kind::Refusal => Some(json!({"refusal": text})),
            Kind::Reasoning { .. } => Some(json!({"reasoning_content": text})),
            Kind::Call { index, is_custom: true } => {
                Some(json!({"tool_calls": [{"index": index, "custom": {"input": text}}]}))
            }
            Kind::Call { index, is_custom: false } => {
                Some(json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]}))
            }
            Kind::OlderCall => Some(json!({"function_call": {"arguments": text}})),
            Kind::Speech { id } => Some(json!({"audio": {"id": id, "data": text}})),
            Kind::Picture { .. } | Kind::Silent => None,
        }
    }
}

impl EncodeEvents for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start { id, model, created_s } => {
                self.id = answer::id(id, &self.asked);
                if !model.is_empty() {
                    self.model.clone_from(model);
                }
                self.created_s = created_s.unwrap_or(self.created_s);
                self.begin(0, out);
            }
            Event::BlockStart { index, candidate, block } => self.open(*index, *candidate, block, out),
            Event::Delta { index, delta } => self.more(*index, delta, out),
            Event::BlockStop { index } => self.close(*index, out),
            Event::Usage(usage) => self.usage = Some(self.usage.unwrap_or_default().merge(*usage)),
            Event::Finish { candidate, finish } => {
                self.begin(*candidate, out);
                self.choice(*candidate, &json!({}), &Value::Null, Some(finish), out);
            }
            Event::ServiceTier(tier) => {
                self.about.insert("service_tier".to_owned(), Value::from(tier.as_str()));
            }
            Event::Extra(extra) => {
                for (name, value) in answer::known_extra(extra) {
                    let is_short = name == "system_fingerprint";
                    drop(if is_short { &mut self.about } else { &mut self.extra }.insert(name, value));
                }
            }
        }
    }

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        out.extend_from_slice(&crate::error::stream_error(error, self.asked.request_id.as_str()));
    }

    fn end(&mut self, out: &mut BytesMut) {
        if let Some(usage) = self.usage.filter(|_| self.asked.request.include_usage) {
            self.chunk(json!([]), Map::new(), Some(answer::usage(&usage)), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}
