//! The body of a client's request on its way through, under its limits. Nothing of it is held here: the next piece is read
//! when the provider has taken the one before.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use gw_engine::relay::{FlowState, Inflow};
use gw_http::{Flow, Interrupted};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

/// What a body that flows may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FlowLimits {
    /// Bytes, as they come.
    pub(crate) bytes_max: u64,
    /// How long the client may be silent.
    pub(crate) timeout: Duration,
    /// When the request's total time is over.
    pub(crate) deadline: Instant,
}

/// A client's body as it flows.
pub(crate) struct ClientFlow {
    incoming: Incoming,
    limits: FlowLimits,
    state: Rc<FlowState>,
    /// While nothing comes: when that has been for too long.
    patience: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl ClientFlow {
    /// Lets a body flow.
    ///
    /// # Errors
    /// `request_too_large`, if the client says so beforehand.
    pub(crate) fn open(incoming: Incoming, limits: FlowLimits) -> Result<Inflow, Error> {
        let length = incoming.size_hint().exact();
        if length.is_some_and(|length| length > limits.bytes_max) {
            return Err(too_large(limits.bytes_max));
        }
        let state = Rc::new(FlowState::default());
        let flow = Self { incoming, limits, state: Rc::clone(&state), patience: None, over: false };
        Ok(Inflow { source: Box::new(flow), length, state })
    }

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
                let LimitsAt { late, error } = LimitsAt::now(&self.limits);
                let timer = self.patience.get_or_insert_with(|| Box::pin(sleep_until(late)));
                ready!(timer.as_mut().poll(context));
                return Poll::Ready(Some(Err(error)));
            };
            self.patience = None;
            match frame {
                None => return Poll::Ready(None),
                Some(Err(_)) => {
                    let error = Error::new(ErrorCode::ClientClosed, "the request's body broke off");
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => {
                    // Trailers are not for the provider.
                    let Ok(data) = frame.into_data() else { continue };
                    self.state.took(data.len());
                    if self.state.bytes() > self.limits.bytes_max {
                        return Poll::Ready(Some(Err(too_large(self.limits.bytes_max))));
                    }
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
    }
}

impl Flow for ClientFlow {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Interrupted>>> {
        if self.over {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.poll_data(context)) {
            Some(Ok(piece)) => Some(Ok(piece)),
            Some(Err(error)) => Some(Err(self.state.fail(error))),
            None => {
                self.over = true;
                self.state.end();
                None
            }
        })
    }
}

/// Until when a client may be silent, and what it is told then.
struct LimitsAt {
    late: Instant,
    error: Error,
}

impl LimitsAt {
    fn now(limits: &FlowLimits) -> Self {
        let silent = Instant::now() + limits.timeout;
        let message = if silent < limits.deadline {
            format!("no part of the request's body came for {} ms", limits.timeout.as_millis())
        } else {
            "the request's body did not come whole within the request's total time".to_owned()
        };
        Self { late: silent.min(limits.deadline), error: Error::new(ErrorCode::RequestTimeout, message) }
    }
}

fn too_large(bytes_max: u64) -> Error {
    let message = format!("the request's body is larger than the limit of {bytes_max} bytes (relay.body_bytes)");
    Error::new(ErrorCode::RequestTooLarge, message)
}
