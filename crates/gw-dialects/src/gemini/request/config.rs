//! `generationConfig`, read and written.

use gw_core::Error;
use gw_core::chat::{ChatRequest, Logprobs, Loss, Modality, OutputFormat, OutputSchema};
use serde_json::{Map, Value, json};

use super::thinking;
use crate::gemini::FAMILY;
use crate::gemini::schema::{from_google, to_google};
use crate::gemini::wire::Object;
use crate::shared::losses::{Losses, Param};

/// Texts that end an answer, at most.
const STOP_MAX: usize = 5;

/// Reads the configuration. What has no word of ours is kept by its name.
pub(super) fn read(mut config: Object<'_>, request: &mut ChatRequest) -> Result<(), Error> {
    const NUMBER: &str = "must be a number";
    let sampling = &mut request.sampling;
    sampling.max_output_tokens = config.count("maxOutputTokens")?;
    sampling.temperature = config.read("temperature", NUMBER)?;
    sampling.top_p = config.read("topP", NUMBER)?;
    sampling.top_k = config.count("topK")?;
    sampling.stop = config.read("stopSequences", "must be a list of strings")?.unwrap_or_default();
    sampling.seed = config.integer("seed")?;
    sampling.presence_penalty = config.read("presencePenalty", NUMBER)?;
    sampling.frequency_penalty = config.read("frequencyPenalty", NUMBER)?;
    sampling.candidates = small(&mut config, "candidateCount")?;
    let wants_logprobs = config.read("responseLogprobs", "must be a boolean")?.unwrap_or(false);
    let top = small(&mut config, "logprobs")?;
    sampling.logprobs = wants_logprobs.then_some(Logprobs { top });
    if let Some(thinking) = config.object("thinkingConfig")? {
        request.thinking = thinking::read(thinking)?;
    }
    request.audio = config.read("speechConfig", "must be an object")?;
    let mut kept = Map::new();
    modalities(&mut config, request, &mut kept)?;
    output(&mut config, request, &mut kept)?;
    kept.extend(config.rest()?);
    let kept = kept.into_iter().map(|(name, value)| (format!("generationConfig.{name}"), value));
    request.extra.members.extend(kept);
    Ok(())
}

fn small(config: &mut Object<'_>, name: &str) -> Result<Option<u32>, Error> {
    let Some(count) = config.count(name)? else { return Ok(None) };
    u32::try_from(count).map(Some).map_err(|_| config.wrong(name, "is too large"))
}

fn modalities(config: &mut Object<'_>, request: &mut ChatRequest, kept: &mut Map<String, Value>) -> Result<(), Error> {
    let Some(names) = config.read::<Vec<String>>("responseModalities", "must be a list of strings")? else {
        return Ok(());
    };
    let known: Option<Vec<_>> = names.iter().map(|name| modality(name)).collect();
    match known {
        Some(modalities) => request.modalities = modalities,
        None => drop(kept.insert("responseModalities".to_owned(), json!(names))),
    }
    Ok(())
}

fn modality(name: &str) -> Option<Modality> {
    match name.to_ascii_uppercase().as_str() {
        "TEXT" => Some(Modality::Text),
        "IMAGE" => Some(Modality::Image),
        "AUDIO" => Some(Modality::Audio),
        _ => None,
    }
}

fn output(config: &mut Object<'_>, request: &mut ChatRequest, kept: &mut Map<String, Value>) -> Result<(), Error> {
    let media_type = config.string("responseMimeType")?;
    let google: Option<Value> = config.read("responseSchema", "must be a schema")?;
    let standard: Option<Value> = config.read("responseJsonSchema", "must be a schema")?;
    request.output = match (media_type.as_deref(), standard, google) {
        (None | Some("" | "text/plain"), None, None) => OutputFormat::Text,
        (Some("application/json"), None, None) => OutputFormat::Json,
        (None | Some("application/json"), Some(schema), _) => of_schema(schema),
        (None | Some("application/json"), None, Some(schema)) => of_schema(from_google(schema)),
        (_, standard, google) => {
            // Something that only Google has, such as an answer that is one word of an enum.
            let members = [
                ("responseMimeType", media_type.map(Value::from)),
                ("responseJsonSchema", standard),
                ("responseSchema", google),
            ];
            kept.extend(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            OutputFormat::Text
        }
    };
    Ok(())
}

fn of_schema(schema: Value) -> OutputFormat {
    OutputFormat::Schema(OutputSchema { schema, ..OutputSchema::default() })
}

/// Writes the configuration.
pub(super) fn write(request: &ChatRequest, model: &str, losses: &mut Losses) -> Map<String, Value> {
    let sampling = &request.sampling;
    let stop: Vec<&String> = sampling.stop.iter().filter(|text| !text.is_empty()).collect();
    if stop.len() > STOP_MAX {
        losses.push(Loss::replaced("stop", "the provider takes 5 texts that end the answer; the first 5 are sent"));
    }
    let stop = &stop[..stop.len().min(STOP_MAX)];
    let seed = sampling.seed.map(|seed| {
        i32::try_from(seed).unwrap_or_else(|_| {
            losses.push(Loss::replaced("seed", "the provider takes 32 bits; the lower ones are sent"));
            seed as i32
        })
    });
    let members = [
        ("maxOutputTokens", sampling.max_output_tokens.map(Value::from)),
        ("temperature", sampling.temperature.map(Value::from)),
        ("topP", sampling.top_p.map(Value::from)),
        ("topK", sampling.top_k.map(Value::from)),
        ("stopSequences", (!stop.is_empty()).then(|| json!(stop))),
        ("seed", seed.map(Value::from)),
        ("presencePenalty", sampling.presence_penalty.map(Value::from)),
        ("frequencyPenalty", sampling.frequency_penalty.map(Value::from)),
        ("candidateCount", sampling.candidates.map(Value::from)),
        ("responseLogprobs", sampling.logprobs.map(|_| Value::Bool(true))),
        ("logprobs", sampling.logprobs.and_then(|logprobs| logprobs.top).map(Value::from)),
        ("responseModalities", modality_names(&request.modalities)),
        ("speechConfig", request.audio.as_ref().map(|audio| speech(audio, losses))),
        ("thinkingConfig", thinking::write(request, model, losses)),
    ];
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let mut config: Map<String, Value> = members.collect();
    write_output(&request.output, &mut config, losses);
    if !sampling.logit_bias.is_empty() {
        losses.push(Loss::dropped("logit_bias", "the provider's format has no such parameter"));
    }
    config
}

fn modality_names(modalities: &[Modality]) -> Option<Value> {
    let name = |modality: &Modality| match modality {
        Modality::Text => "TEXT",
        Modality::Audio => "AUDIO",
        Modality::Image => "IMAGE",
    };
    // Text alone is what every model answers; some refuse to be told.
    let says_more = modalities.iter().any(|modality| *modality != Modality::Text);
    says_more.then(|| modalities.iter().map(name).collect())
}

/// How audio is spoken: Google's own words, or OpenAI's voice.
fn speech(audio: &Value, losses: &mut Losses) -> Value {
    let Some(voice) = audio.get("voice").and_then(Value::as_str) else { return audio.clone() };
    if audio.get("format").is_some() {
        losses.push(Loss::dropped("audio.format", "the provider speaks in a format of its own"));
    }
    json!({"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}})
}

fn write_output(output: &OutputFormat, config: &mut Map<String, Value>, losses: &mut Losses) {
    const JSON: &str = "application/json";
    match output {
        OutputFormat::Text => {}
        OutputFormat::Json => drop(config.insert("responseMimeType".to_owned(), Value::from(JSON))),
        OutputFormat::Schema(schema) => {
            config.insert("responseMimeType".to_owned(), Value::from(JSON));
            if !schema.schema.is_null() {
                config.insert("responseJsonSchema".to_owned(), to_google(schema.schema.clone()));
            }
            if schema.description.is_some() {
                losses.push(Loss::dropped(
                    "response_format.json_schema.description",
                    "the provider's format has no description beside the schema",
                ));
            }
        }
    }
}

/// What no word of Google's stands for.
pub(super) fn unsaid(request: &ChatRequest, losses: &mut Losses) {
    losses.lacking(
        request,
        &[Param::ParallelToolCalls, Param::Verbosity, Param::Prediction, Param::User, Param::CacheKey],
    );
    // Its own clients say it as labels.
    if request.extra.family != FAMILY {
        losses.lacking(request, &[Param::Metadata]);
    }
}
