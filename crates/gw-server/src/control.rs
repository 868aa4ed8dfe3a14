//! The way from a worker to the control plane, for what is not the API.

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use http::{HeaderValue, StatusCode};
use tokio::sync::{mpsc, oneshot};

/// Questions that may wait for the control plane.
const QUEUE: usize = 64;

/// What the control plane answers with.
pub struct ControlAnswer {
    /// Status.
    pub status: StatusCode,
    /// Media type.
    pub content_type: HeaderValue,
    /// Body.
    pub body: Bytes,
}

/// A question, and where its answer goes.
pub struct Question {
    /// What is asked for.
    pub path: String,
    /// Where the answer goes. It may be gone: clients leave.
    pub answer: oneshot::Sender<ControlAnswer>,
}

/// A worker's end of the way to the control plane.
#[derive(Clone)]
pub struct Control(mpsc::Sender<Question>);

impl Control {
    /// Both ends.
    pub fn channel() -> (Self, mpsc::Receiver<Question>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// `overloaded` if too many are waiting already.
    pub async fn ask(&self, path: &str) -> Result<ControlAnswer, Error> {
        let (answer, waiting) = oneshot::channel();
        let busy = || Error::new(ErrorCode::Overloaded, "the gateway's control plane is busy; try again later");
        self.0.try_send(Question { path: path.to_owned(), answer }).map_err(|_| busy())?;
        waiting.await.map_err(|_| busy())
    }
}
