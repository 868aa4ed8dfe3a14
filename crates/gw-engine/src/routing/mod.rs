//! Which targets a request goes to: what its model's name stands for as a tree of targets, how their providers stand,
//! and the walk along the plan that is made of both.

pub mod control;
mod explain;
mod facts;
mod hedge;
mod limits;
pub(crate) mod need;
pub(crate) mod notice;
mod queue;
pub(crate) mod resume;
pub mod rules;
pub mod standing;
pub mod target;
pub(crate) mod times;
pub(crate) mod trial;
mod verdict;
mod walk;
mod way;

pub(crate) use facts::{Asked, RequestFacts};
pub(crate) use trial::Asker;
pub(crate) use walk::{Walk, told};
pub(crate) use way::{Said, Seen, Way};
