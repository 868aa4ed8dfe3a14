//! What several dialects need: conversations put in strict order, media told by their bytes, ids and names made to fit,
//! custom tools as functions, and what could not be said.

pub mod custom;
pub mod ids;
pub(crate) mod losses;
pub mod media;
pub mod refusal;
pub(crate) mod results;
pub mod thinking;
pub mod tokens;
pub mod turns;
