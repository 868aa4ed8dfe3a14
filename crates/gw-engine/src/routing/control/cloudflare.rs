//! Cloudflare's headers: `cf-aig-max-attempts`, `cf-aig-retry-delay`, `cf-aig-backoff`, `cf-aig-request-timeout`;
//! and what its auto-router may choose from.

use std::time::Duration;

use gw_core::Error;

use super::value::{header, milliseconds, number, wrong};
use super::wish::{RetryWish, Wish};
use super::{Asked, Reader, auto};

pub(super) const PREFIX: &str = "cf-aig-";
const ATTEMPTS: &str = "cf-aig-max-attempts";
const DELAY: &str = "cf-aig-retry-delay";
const BACKOFF: &str = "cf-aig-backoff";
const TIMEOUT: &str = "cf-aig-request-timeout";
/// Facts of the request and of its log.
const BESIDE: [&str; 4] = ["cf-aig-metadata", "cf-aig-event-id", "cf-aig-otel-trace-id", "cf-aig-otel-parent-span-id"];
/// What is said of answers kept for later, of which there are none.
const QUIET: [&str; 4] = ["cf-aig-cache-ttl", "cf-aig-skip-cache", "cf-aig-cache-key", "cf-aig-authorization"];

pub(super) const READER: Reader = Reader { headers: &[PREFIX], beside: &BESIDE, members: &[], read };

fn read(asked: &Asked<'_>, wish: &mut Wish) -> Result<(), Error> {
    let headers = asked.headers;
    let attempts = number(headers, ATTEMPTS)?;
    let delay = header(headers, DELAY)?.map(|_| milliseconds(headers, DELAY)).transpose()?.flatten();
    let backoff = header(headers, BACKOFF)?.map(backoff).transpose()?;
    if attempts.is_some() || delay.is_some() || backoff.is_some() {
        wish.everywhere.retry = Some(RetryWish {
            retries: attempts.map(|attempts| attempts.saturating_sub(1)),
            delay: delay.or(backoff.map(|_| Duration::from_secs(1))),
            multiplier: backoff,
            ..RetryWish::default()
        });
    }
    if let Some(timeout) = milliseconds(headers, TIMEOUT)? {
        wish.everywhere.first_byte_timeout = Some(timeout);
    }
    for name in [auto::MODELS, auto::PROVIDERS] {
        if let Some(value) = header(headers, name)? {
            wish.auto.allow(name, value);
        }
    }
    let known = [ATTEMPTS, DELAY, BACKOFF, TIMEOUT, auto::MODELS, auto::PROVIDERS];
    let said = headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with(PREFIX));
    let idle = said.filter(|name| !known.contains(name) && !BESIDE.contains(name) && !QUIET.contains(name));
    idle.for_each(|name| wish.idle(name));
    Ok(())
}

/// By how much the pause grows from one to the next. Pauses grow by a factor here: for a linear growth, a small one.
fn backoff(text: &str) -> Result<f64, Error> {
    match text {
        "constant" => Ok(1.0),
        "linear" => Ok(1.5),
        "exponential" => Ok(2.0),
        _ => Err(wrong(BACKOFF, "must be constant, linear or exponential")),
    }
}
