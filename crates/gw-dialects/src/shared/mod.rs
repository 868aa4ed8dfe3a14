//! What several dialects need: conversations put in strict order, media told by their bytes, ids and names made to fit.

pub mod ids;
pub mod media;
pub mod refusal;
pub mod thinking;
pub mod tokens;
pub mod turns;
