//! Operations whose answer comes whole, at a provider that does not speak the client's dialect: the request is said in
//! its words, in as many calls as it needs, and what comes back in the client's.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use gw_config::config::Unsupported;
use gw_core::{Error, Operation, Usage};
use gw_dialects::chat::{Encoded, RequestLine, Target};
use gw_dialects::embeddings::Embed;
use gw_dialects::head::Head;
use gw_dialects::rerank::Rerank;
use gw_dialects::unary::{self, Egress, Ingress, OneCall, Unary};
use gw_dialects::{DialectId, shared};
use gw_http::RequestBody;
use gw_providers::catalog::DialectEntry;
use http::{HeaderMap, Request};

use crate::budget::Taken;
use crate::dispatch::Attempt;
use crate::engine::Call;
use crate::meter::Meter;
use crate::refusal::not_spoken;
use crate::reply::{Content, Reply};
use crate::sending::provider_request_id;
use crate::translate;

/// Calls of one request that are under way at the same time.
const CALLS_AT_ONCE: usize = 8;

/// How a request is said.
struct Spoken<'a, O: Unary> {
    ingress: &'static dyn Ingress<O>,
    egress: &'static dyn Egress<O>,
    dialect: DialectId,
    entry: &'a DialectEntry,
}

/// What came back of one call.
struct Received {
    headers: HeaderMap,
    body: Bytes,
    held: Taken,
}

impl Attempt<'_> {
    /// Has an operation other than chat answered in another dialect.
    pub(crate) async fn run_unary(&self, call: &Call<'_>, head: &Head, meter: &mut Meter) -> Result<Reply, Error> {
        // Rare beside chat: they do not weigh on every request's future.
        match call.dialect.operation() {
            Operation::Embeddings => Box::pin(self.run_of::<Embed>(call, head, meter)).await,
            Operation::Rerank => Box::pin(self.run_of::<Rerank>(call, head, meter)).await,
            _ => Err(not_spoken(&self.resolved.choice.provider, call)),
        }
    }

    async fn run_of<O: Unary>(&self, call: &Call<'_>, head: &Head, meter: &mut Meter) -> Result<Reply, Error> {
        let (provider, model) = (&self.resolved.choice.provider, &self.resolved.choice.model);
        let spoken = self.spoken_unary::<O>(call)?;
        let line = RequestLine { model: call.model, stream: None, headers: Some(call.headers) };
        let mut request =
            spoken.ingress.decode_request(&line, &translate::edited(call, head, gw_dialects::edit::Edits::new()))?;
        O::check(&request)?;
        if self.snapshot.unsupported == Unsupported::Pass {
            // As if the client had spoken the provider's dialect: what has no meaning here goes through.
            O::extra(&mut request).family = spoken.dialect.family();
        }
        let target = Target { model, provider: &provider.name, stream: false };
        let said = spoken.egress.encode_request(&request, &target)?;
        if self.snapshot.unsupported == Unsupported::Reject {
            translate::refuse(&said.losses, provider)?;
        }
        meter.lost(&said.losses);
        let mut requests = VecDeque::with_capacity(said.calls.len());
        for OneCall { path, headers, body } in said.calls {
            let encoded = Encoded { path, headers, body, ..Encoded::default() };
            // What the catalogue leaves out of one call it leaves out of all.
            let told = requests.is_empty().then_some(&mut *meter);
            requests.push_back(self.outgoing(spoken.dialect, spoken.entry, encoded, false, call, told)?);
        }

        meter.attempt();
        let mut received = Vec::new();
        let outcome = self.exchange_all(spoken.dialect, requests, &mut received).await;
        let received: Vec<Received> = received.into_iter().flatten().collect();
        if !received.is_empty() {
            meter.received();
        }
        meter.answered(received.first().and_then(|received| provider_request_id(&received.headers)));
        let decode = |Received { headers, body, .. }: &Received| {
            let reply = unary::Reply { headers, body, provider: &provider.name, model };
            spoken.egress.decode_answer(&reply, &request)
        };
        let answers: Vec<Result<O::Answer, Error>> = received.iter().map(decode).collect();
        // What was answered was used, also where another call failed.
        meter.used(answers.iter().flatten().filter_map(O::usage).reduce(Usage::plus));
        outcome?;
        let answers = answers.into_iter().collect::<Result<_, _>>()?;
        let wrong = |what| shared::refusal::invalid(&provider.name, what);
        let answer = O::join(&request, answers).map_err(wrong)?;
        let body = spoken.ingress.encode_answer(&answer, &request, meter.request_id())?;
        // As many bytes as came are counted as held until the answer is sent.
        let held = received.into_iter().map(|received| received.held).reduce(Taken::and);
        Ok(Reply::of("application/json", Content::Whole(body, held)))
    }

    /// How the provider is asked: in the client's own dialect if it speaks it, else in the first that it has for this.
    fn spoken_unary<O: Unary>(&self, call: &Call<'_>) -> Result<Spoken<'_, O>, Error> {
        let (provider, model) = (&self.resolved.choice.provider, &self.resolved.choice.model);
        let own = provider.entry.dialect(call.dialect, model).map(|entry| (call.dialect, entry));
        let found = O::ingress(call.dialect).and_then(|ingress| {
            own.into_iter()
                .chain(provider.entry.dialects_of(model))
                .find_map(|(dialect, entry)| Some(Spoken { ingress, egress: O::egress(dialect)?, dialect, entry }))
        });
        found.ok_or_else(|| not_spoken(provider, call))
    }

    /// Makes all calls, several at a time; what came is put in their order. The first that fails ends it: those under way
    /// are cancelled, the others not made.
    async fn exchange_all(
        &self,
        dialect: DialectId,
        mut requests: VecDeque<Box<Request<RequestBody>>>,
        received: &mut Vec<Option<Received>>,
    ) -> Result<(), Error> {
        received.resize_with(requests.len(), || None);
        let mut next = 0;
        let mut under_way: Vec<(usize, Pin<Box<_>>)> = Vec::with_capacity(CALLS_AT_ONCE);
        loop {
            while under_way.len() < CALLS_AT_ONCE
                && let Some(request) = requests.pop_front()
            {
                under_way.push((next, Box::pin(self.exchange(dialect, request))));
                next += 1;
            }
            if under_way.is_empty() {
                return Ok(());
            }
            let (at, came) = poll_fn(|context| {
                let ready = under_way.iter_mut().enumerate().find_map(|(at, (_, exchange))| {
                    match exchange.as_mut().poll(context) {
                        Poll::Ready(came) => Some((at, came)),
                        Poll::Pending => None,
                    }
                });
                ready.map_or(Poll::Pending, Poll::Ready)
            })
            .await;
            let (place, _) = under_way.swap_remove(at);
            let came = came?;
            if let Some(slot) = received.get_mut(place) {
                *slot = Some(came);
            }
        }
    }

    async fn exchange(&self, dialect: DialectId, request: Box<Request<RequestBody>>) -> Result<Received, Error> {
        let response = self.exchanged(request).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response, |refusal| unary::refused(dialect, refusal)).await);
        }
        let (parts, answer) = response.into_parts();
        let (body, held) = self.collect(answer, || {}).await?;
        Ok(Received { headers: parts.headers, body, held })
    }
}
