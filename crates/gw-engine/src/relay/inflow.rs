//! A client's body on its way through: what it is made of, and how far it has come.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gw_core::{Error, ErrorCode};
use gw_http::{Flow, Interrupted};
use tokio::time::Instant;

/// A body that flows in from the client.
pub struct Inflow {
    /// Where its pieces come from. It tells `state` what became of them.
    pub source: Box<dyn Flow>,
    /// How many bytes it is, if the client said so.
    pub length: Option<u64>,
    /// How far it has come.
    pub state: Rc<FlowState>,
}

/// How far a body has come. Who sends it on and who reads it share this.
#[derive(Default)]
pub struct FlowState {
    bytes: Cell<u64>,
    ended: Cell<Option<Instant>>,
    error: RefCell<Option<Error>>,
}

impl FlowState {
    /// So many bytes more have come.
    pub fn took(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes as u64);
    }

    /// All of it has come.
    pub fn end(&self) {
        if self.ended.get().is_none() {
            self.ended.set(Some(Instant::now()));
        }
    }

    /// It broke off, and this is what the client is told. The first reason counts.
    pub fn fail(&self, error: Error) -> Interrupted {
        self.error.borrow_mut().get_or_insert(error);
        Interrupted
    }

    /// How many bytes have come.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// When all of it had come.
    pub fn ended(&self) -> Option<Instant> {
        self.ended.get()
    }

    /// Why it broke off, if it did.
    pub fn broken(&self) -> Option<Error> {
        self.error.borrow_mut().take()
    }

    /// Why it broke off, where it is known that it did.
    pub(crate) fn why(&self) -> Error {
        let unknown = || Error::new(ErrorCode::ClientClosed, "the request's body broke off");
        self.broken().unwrap_or_else(unknown)
    }
}
