//! Faults of translation that other gateways have, one test for each; tests/PITFALLS.md says which row is which.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod asking;
#[cfg(test)]
mod history;
#[cfg(test)]
mod parameters;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod unknown_members;
