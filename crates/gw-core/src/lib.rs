//! The vocabulary of the gateway. Read in this order: [`operation`] (what can be asked), [`error`] (what can go
//! wrong, and whose fault it is), [`usage`] (what was used), [`money`], [`price`] and [`cost`] (what that costs),
//! [`record`] (what is remembered of a request) with [`insurance`] (what of it is nobody's bill), [`chat`] (a conversation, in the one form in which all dialects meet),
//! [`embeddings`] and [`rerank`] (the same of those), [`shadow`] (two answers compared) with [`similarity`].
//!
//! **Invariants.** No I/O, no clock, no log; no wire format and no provider is named here, but for the families whose
//! state is carried. Nothing in this crate can hold a secret: what is built here may be printed.

pub mod caller;
pub mod chat;
pub mod cost;
pub mod embeddings;
pub mod error;
mod headline;
pub mod id;
pub mod insurance;
pub mod money;
pub mod operation;
pub mod price;
pub mod record;
pub mod rerank;
pub mod shadow;
pub mod similarity;
pub mod usage;

pub use caller::Caller;
pub use cost::{Cost, CostSource};
pub use error::{Blame, Error, ErrorCode, UpstreamError};
pub use id::RequestId;
pub use insurance::Uncharged;
pub use money::{Nanodollars, Rate};
pub use operation::Operation;
pub use price::{Dimension, Price};
pub use record::{Outcome, PassedOver, RequestRecord, RequestTime, Timings, Try, Unused};
pub use usage::{ServiceTier, Usage};
