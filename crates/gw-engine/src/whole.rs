//! Answers that come whole: what of them is held, how much, and what they say was used.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use gw_core::{Error, Operation, Usage};
use gw_dialects::carried_usage::Learner;
use gw_dialects::chat::{self, Origin};
use gw_dialects::{openai_responses, response, scan, unary};
use gw_providers::attempt::Answer;
use http::{HeaderMap, Response};

use crate::budget::Taken;
use crate::dispatch::Attempt;
use crate::engine::Call;
use crate::judging;
use crate::meter::Meter;
use crate::reply::{Content, Reply};

/// An answer up to this size is held until it is whole, so that one that breaks off is an error and not half an answer.
const HELD_ANSWER_BYTES_MAX: usize = 1 << 20;
/// The most that a whole answer may be that has to be said in other words: pictures come in base64.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 20;

/// What a whole answer says of itself.
struct Told {
    /// What was used.
    usage: Option<Usage>,
    /// Which service was given, where that stands beside it.
    service_tier: Option<String>,
    /// Whether it says why it ended.
    told_end: bool,
    /// Whether it says that it failed, under a status of success.
    failed: bool,
}

impl Attempt<'_> {
    /// An answer that is not a stream: held until it is whole, unless it is large.
    pub(crate) async fn whole(
        &self,
        call: &Call<'_>,
        response: Response<Answer>,
        meter: &mut Meter,
    ) -> Result<Reply, Error> {
        let (parts, mut answer) = response.into_parts();
        let mut held = self.ports.held_bytes.nothing();
        let mut pieces: VecDeque<Bytes> = VecDeque::new();
        let mut size = 0;
        // Only OpenAI's older formats can be searched for their usage in passing.
        let held_max = if call.dialect.is_plain_openai() { HELD_ANSWER_BYTES_MAX } else { ANSWER_BYTES_MAX };
        while size <= held_max {
            let Some(piece) = answer.data().await else {
                let body = join(pieces);
                meter.received();
                let told = self.told(call, &parts.headers, &body)?;
                meter.used(told.usage);
                meter.served(told.service_tier.as_deref());
                meter.came_whole(told.told_end);
                if told.failed {
                    meter.failed_whole();
                }
                self.remember_whole(call, &body, meter);
                self.judge(call, &body, meter);
                return Ok(Reply {
                    status: parts.status,
                    headers: parts.headers,
                    content: Content::Whole(body, Some(held)),
                });
            };
            let piece = piece.map_err(|error| self.failed(&error))?;
            meter.received();
            held.hold(size, piece.len())?;
            size += piece.len();
            pieces.push_back(piece);
        }
        Ok(Reply { status: parts.status, headers: parts.headers, content: Content::Flowing(pieces, answer) })
    }

    /// Whether the calls of tools can be followed, where that is of interest.
    fn judge(&self, call: &Call<'_>, body: &Bytes, meter: &mut Meter) {
        if self.resolved.target_settings.judged
            && let Some(egress) = chat::egress(call.dialect)
        {
            let answer = egress.decode_answer(body, &Origin::default()).ok();
            meter.judged(answer.and_then(|answer| judging::of_answer(&answer)));
        }
    }

    /// A provider may keep what it answered.
    fn remember_whole(&self, call: &Call<'_>, body: &Bytes, meter: &Meter) {
        if let Some(remember) = self.remember(call, meter)
            && let Some(id) = openai_responses::id_of(body)
        {
            remember.under(&id);
        }
    }

    /// What a whole answer says of itself.
    fn told(&self, call: &Call<'_>, headers: &HeaderMap, body: &Bytes) -> Result<Told, Error> {
        let told = |usage| Told { usage, service_tier: None, told_end: true, failed: false };
        if call.dialect.operation() == Operation::CountTokens {
            return Ok(told(None));
        }
        if call.dialect.operation() != Operation::Chat && !call.dialect.is_plain_openai() {
            scan::top_level(body).map_err(|_| self.invalid(body))?;
            let (provider, model) = (&self.resolved.choice.provider.name, &self.resolved.choice.model);
            return Ok(told(unary::usage(call.dialect, &unary::Reply { headers, body, provider, model })));
        }
        let egress = chat::egress(call.dialect).filter(|_| !call.dialect.is_plain_openai());
        let Some(egress) = egress else {
            let scan = response::scan_response(call.dialect, body).map_err(|_| self.invalid(body))?;
            // Judging is reported by nobody, and free at most.
            let unsaid = (call.dialect.operation() == Operation::Moderations).then(Usage::default);
            return Ok(Told { told_end: scan.told_end, failed: scan.has_error, ..told(scan.usage.or(unsaid)) });
        };
        scan::top_level(body).map_err(|_| self.invalid(body))?;
        // An answer that says of itself that it is an error goes to the client as it is.
        let Ok(answer) = egress.decode_answer(body, &Origin::default()) else {
            let mut learner = Learner::new(b"application/json");
            learner.feed(body);
            return Ok(Told { failed: true, ..told(learner.usage()) });
        };
        Ok(Told { service_tier: answer.service_tier.clone(), told_end: answer.told_end(), ..told(answer.usage) })
    }

    /// A whole answer, under its limit; `received` is told of each piece.
    pub(crate) async fn collect(
        &self,
        mut answer: Answer,
        mut received: impl FnMut(),
    ) -> Result<(Bytes, Taken), Error> {
        let mut held = self.ports.held_bytes.nothing();
        let mut body = BytesMut::new();
        while let Some(piece) = answer.data().await {
            let piece = piece.map_err(|error| self.failed(&error))?;
            received();
            self.check_size(body.len() + piece.len())?;
            held.hold(body.len(), piece.len())?;
            body.extend_from_slice(&piece);
        }
        Ok((body.freeze(), held))
    }

    /// Whether an answer of so many bytes may be held.
    pub(crate) fn check_size(&self, bytes: usize) -> Result<(), Error> {
        if bytes <= ANSWER_BYTES_MAX {
            return Ok(());
        }
        let what = format!("an answer of more than {ANSWER_BYTES_MAX} bytes");
        Err(gw_dialects::shared::refusal::invalid(&self.resolved.choice.provider.name, &what))
    }
}

fn join(mut pieces: VecDeque<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
    whole.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_in_order_and_a_single_one_is_not_copied() {
        let single = Bytes::from_static(b"single");
        assert_eq!(join(VecDeque::from([single.clone()])).as_ptr(), single.as_ptr());
        assert_eq!(join(VecDeque::from([Bytes::from_static(b"ab"), Bytes::from_static(b"c")])), "abc");
        assert_eq!(join(VecDeque::new()), "");
    }
}
