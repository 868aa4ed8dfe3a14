//! What must hold for every whole answer to a chat: shared by the tests and by the fuzz target.

use std::time::SystemTime;

use bytes::Bytes;
use gw_core::RequestId;
use gw_dialects::chat::{self, EGRESSES, Egress, INGRESSES};
use gw_dialects::error::Refusal;
use http::{HeaderMap, StatusCode};

use crate::chat::{
    PROVIDER, asked, assert_grammar, assert_json, assert_written, choose, lossy, origin, tells_malformed,
};

/// An answer that is understood can be put into every client's words, whole and in pieces. Whatever comes, it can be
/// told as an error.
pub(crate) fn check(input: &[u8]) {
    let Some((dialect, egress, body)) = choose(EGRESSES, input) else { return };
    check_refusal(egress, body);
    let answer = match egress.decode_answer(body, &origin()) {
        Ok(answer) => answer,
        Err(error) => {
            assert_written(INGRESSES, &[], Some(&error));
            return;
        }
    };
    let events = answer.clone().into_events();
    for (name, ingress) in INGRESSES {
        let written = ingress.encode_answer(&answer, &asked(false));
        assert_json(*name, &written);
        let again = chat::egress(*name).map(|egress| egress.decode_answer(&written, &origin()));
        let is_read = again.is_none_or(|again| again.is_ok() || tells_malformed(*name, &events));
        assert!(is_read, "{} does not read {}", name.name(), lossy(&written));
    }
    assert_grammar(dialect, &events, true);
    assert_written(INGRESSES, &events, None);
}

/// The same body under a status that is no success.
fn check_refusal(egress: &dyn Egress, body: &[u8]) {
    for status in [StatusCode::BAD_REQUEST, StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY] {
        let error = egress.decode_error(Refusal {
            status,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body),
            provider: PROVIDER,
            credential_is_callers: false,
            now: SystemTime::UNIX_EPOCH,
        });
        for (name, ingress) in INGRESSES {
            let (status, body) = ingress.encode_error(&error, RequestId::from_u128(1));
            assert!(status.is_client_error() || status.is_server_error(), "{}: {status}", name.name());
            assert_json(*name, &body);
        }
    }
}
