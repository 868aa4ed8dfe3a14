//! Sections that the schema knows and this version cannot execute.

pub(super) mod access;
pub(super) mod caching;
pub(super) mod cost;
pub(super) mod observe;
