//! The only door, both ways. It knows nothing of AI.
//!
//! In, in this order: [`listen`] (sockets), [`workers`] (one thread, one runtime for each), [`serve`] (a connection),
//! [`watch`] (slow clients), [`panics`], [`tls`]. Out: [`origin`] (where), [`pool`] (connections; `http1` and `http2` are the two kinds),
//! [`connect`] and [`proxy`] (new ones), [`client`] (one exchange). [`body`] is what goes through, [`upgrade`] what is spoken after HTTP.
//! Out, but to wherever a client says: [`fetch`](mod@fetch), which [`address_guard`] keeps out of our own network.
//!
//! **Invariants.**
//! - A connection, and every request on it, lives and dies on one worker; nothing here is shared between workers
//!   but the counters of [`serve::Limits`], the TLS configuration and the list of origins.
//! - Whatever is dropped is cancelled: dropping an answer's body closes its upstream connection.
//! - Nothing is sent twice: a request goes out on another connection only if no byte of it was written to the first.
//! - A panic in the service or in a body ends that request alone.

pub mod address_guard;
pub mod body;
pub mod client;
pub mod connect;
mod exec;
pub mod fetch;
mod http1;
mod http2;
mod io;
pub mod listen;
pub mod observer;
pub mod origin;
pub mod panics;
pub mod pool;
pub mod proxy;
pub mod serve;
mod stream;
pub mod tls;
pub mod upgrade;
pub mod watch;
pub mod workers;

pub use address_guard::AddressGuard;
pub use body::{Flow, Interrupted, RequestBody};
pub use client::{SendError, UpstreamBody};
pub use fetch::{FetchError, FetchLimits, Fetched, fetch};
pub use observer::Observer;
pub use origin::{Origin, OriginId, Origins};
pub use pool::Pools;
pub use serve::{Connection, Limits, Service};
pub use upgrade::{Switched, Takeover, Upgraded};
