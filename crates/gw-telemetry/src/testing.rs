//! What several tests need.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gw_core::{Operation, Outcome, RequestId, RequestRecord, Timings, Usage};

use crate::series::SeriesKey;

/// A streamed chat that went well.
pub(crate) fn record() -> RequestRecord {
    RequestRecord {
        key_name: Some("dev".into()),
        model_requested: Some("fast".into()),
        model_used: Some("gpt-5-mini".into()),
        provider: Some("openai".into()),
        provider_type: Some("openai".into()),
        provider_request_id: Some("req_1".into()),
        stream: true,
        status: 200,
        outcome: Outcome::Completed,
        usage: Some(Usage { input_tokens: 12, output_tokens: 34, reasoning_tokens: 5, ..Usage::default() }),
        request_bytes: 321,
        response_bytes: 4_567,
        attempts: 1,
        timings: Timings { total_us: 1_234_567, first_byte_us: Some(200_000), upstream_us: 1_234_480, overhead_us: 87 },
        ..RequestRecord::begin(
            RequestId::from_u128(0x0193_5f00_0000_7000_8000_0000_0000_00ff),
            Operation::Chat,
            "openai_chat",
            SystemTime::UNIX_EPOCH + Duration::from_millis(1_709_210_096_789),
        )
    }
}

/// A chat with this provider and model.
pub(crate) fn chat(provider: &str, model: &str) -> SeriesKey {
    SeriesKey { operation: Operation::Chat, provider: Arc::from(provider), model: Arc::from(model) }
}
