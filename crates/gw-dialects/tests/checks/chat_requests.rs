//! What must hold for every request of a chat: shared by the tests and by the fuzz target.

use gw_core::RequestId;
use gw_dialects::DialectId;
use gw_dialects::chat::{self, EGRESSES, Encoded, INGRESSES, RequestLine, Target};

use crate::chat::{PROVIDER, assert_json, choose, lossy};

/// Models whose generations want words of their own.
const MODELS: &[(DialectId, &[&str])] = &[
    (DialectId::AnthropicMessages, &["claude-sonnet-4-5", "claude-opus-5-5", "claude-3-5-haiku-latest"]),
    (DialectId::BedrockConverse, &["anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-pro-v1:0", "m"]),
    (DialectId::Gemini, &["gemini-3-pro", "gemini-2.5-flash"]),
    (DialectId::OpenAiChat, &["gpt-5.5", "gpt-4o"]),
];

/// A request that is understood can be put into every provider's words, or is refused; what goes out as it came is
/// understood again.
pub(crate) fn check(input: &[u8]) {
    let Some((dialect, ingress, body)) = choose(INGRESSES, input) else { return };
    let line = match dialect {
        DialectId::Gemini => RequestLine { model: Some("gemini-3-pro"), stream: Some(false), headers: None },
        _ => RequestLine::default(),
    };
    let request = match ingress.decode_request(&line, body) {
        Ok(request) => request,
        Err(error) => {
            let (status, body) = ingress.encode_error(&error, RequestId::from_u128(1));
            assert!(status.is_client_error(), "{status}: {error}");
            return assert_json(dialect, &body);
        }
    };
    for (name, egress) in EGRESSES {
        let models = MODELS.iter().find(|(known, _)| known == name).map_or(&["m"][..], |(_, models)| models);
        for model in models {
            let target = Target { model, provider: PROVIDER, stream: request.stream };
            let Ok(encoded) = egress.encode_request(&request, &target) else { continue };
            assert!(encoded.path.starts_with('/'), "{}: {}", name.name(), encoded.path);
            assert_json(*name, &encoded.body);
            if *name == dialect {
                let decode = |encoded: &Encoded| ingress.decode_request(&line, &encoded.body);
                let once = decode(&encoded);
                let twice =
                    once.as_ref().map(|once| egress.encode_request(once, &target).and_then(|again| decode(&again)));
                let is_same = matches!((&once, &twice), (Ok(once), Ok(Ok(twice))) if once == twice);
                assert!(is_same, "{}: {once:?} then {twice:?} of {}", name.name(), lossy(&encoded.body));
            }
        }
    }
    // What has no egress of its own was not held against the law above.
    debug_assert!(chat::egress(dialect).is_some(), "{} cannot be sent as it came", dialect.name());
}
