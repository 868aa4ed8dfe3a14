//! What several dialects need: conversations put in strict order, media told by their bytes, ids and names made to fit,
//! names escaped in paths, custom tools as functions, tools and JSON as text, a dialect around another one, and what could
//! not be said.

pub mod custom;
pub mod emulation;
pub mod ids;
pub mod json;
pub(crate) mod losses;
pub mod media;
pub mod percent;
pub mod refusal;
pub(crate) mod results;
pub mod rewritten;
pub mod search;
pub mod thinking;
pub mod tokens;
pub mod turns;
pub(crate) mod unknown;
