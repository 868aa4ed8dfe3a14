//! Tokens counted here, where the provider cannot be asked to count them.

use gw_core::Error;
use gw_core::chat::Loss;
use gw_dialects::chat::RequestLine;
use gw_dialects::shared::tokens;
use gw_dialects::{DialectId, anthropic_messages, gemini, openai_responses};

use crate::engine::Call;
use crate::meter::Meter;
use crate::reply::{Content, Reply};

/// Guesses how many tokens a conversation has. The client is told that it is a guess.
pub(crate) fn estimated(call: &Call<'_>, meter: &mut Meter) -> Result<Reply, Error> {
    let line = RequestLine { model: call.model, stream: Some(false), headers: Some(call.headers) };
    let request = match call.dialect {
        DialectId::GeminiCountTokens => gemini::decode_count_request(&line, &call.body)?,
        DialectId::OpenAiInputTokens => openai_responses::decode_count_request(&line, &call.body)?,
        _ => anthropic_messages::decode_count_request(&line, &call.body)?,
    };
    let tokens = tokens::estimate(&request);
    meter.lost(&[Loss::replaced("tokens", "estimated from the length of the texts")]);
    let body = match call.dialect {
        DialectId::GeminiCountTokens => gemini::encode_count_tokens(tokens),
        DialectId::OpenAiInputTokens => openai_responses::resource::input_tokens(tokens),
        _ => anthropic_messages::count_tokens_answer(tokens),
    };
    Ok(Reply::of("application/json", Content::Whole(body, None)))
}
