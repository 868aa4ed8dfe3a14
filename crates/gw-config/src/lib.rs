//! Configuration: as written, as meant, with every mistake reported at once.
//!
//! Reading order: [`config`] is the result. [`find`](fn@find) says which file is taken and [`load`](fn@load) makes the
//! result of it, in four steps: `node` parses YAML or JSON into a tree of values with places (`manifest` takes it out
//! of a Kubernetes ConfigMap, `overlay` lays the environment's keys over it), `decode` reads the tree as the sections that `file` declares (`interpolate` replaces
//! `${…}`, `planned` refuses what cannot be executed yet), and `meaning` applies defaults and the rules between keys.
//! Single values are in `scalar`, `quantities`, `names`, `url`, `free` and `values`. `shape` holds the keys as data, from which
//! [`schema`](fn@schema) and [`reference`](fn@reference) are drawn too.
//!
//! **Invariants**
//! - A mistake never stops the search for others, except where the text is not YAML at all.
//! - Nothing that is written is ignored: it is executed, switched off, or a mistake.
//! - No diagnostic shows a secret or a value that came from a `${…}`, and no `Debug` shows a secret.
//! - No input panics; file size, depth, number of values, length of values and number of diagnostics are bounded.

pub mod config;
mod decode;
pub mod diagnostic;
mod environment;
mod expression;
mod file;
mod find;
mod free;
mod interpolate;
mod lint;
mod load;
mod manifest;
mod meaning;
mod names;
mod node;
mod overlay;
mod planned;
mod quantities;
mod reference;
mod repair;
mod scalar;
mod schema;
pub mod secret;
mod section;
mod shape;
mod text;
mod url;
mod values;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use environment::Environment;
pub use find::{Found, FoundBecause, find};
pub use lint::downgrades;
pub use load::{LoadOptions, Loaded, load, load_str};
pub use reference::reference;
pub use schema::schema;
