//! Limits of routes as meant.

use gw_policy::limit::{Counts, Limit, Technique};
use std::time::Duration;

use super::Meaning;
use crate::decode::Written;
use crate::diagnostic::Place;
use crate::file::{Amount, ElementProperties, LimitKey, LimitTechnique, LimitType, Mode, Strategy};

/// A limit as written, in a strategy or in an element of a graph.
pub(super) struct Parts<'a> {
    limit_type: &'a Written<LimitType>,
    key: &'a Written<LimitKey>,
    limit: &'a Written<Amount>,
    interval: &'a Written<Duration>,
    technique: &'a Written<LimitTechnique>,
}

impl<'a> From<&'a Strategy> for Parts<'a> {
    fn from(written: &'a Strategy) -> Self {
        let Strategy { limit_type, key, limit, interval, technique, .. } = written;
        Self { limit_type, key, limit, interval, technique }
    }
}

impl<'a> From<&'a ElementProperties> for Parts<'a> {
    fn from(written: &'a ElementProperties) -> Self {
        let ElementProperties { limit_type, key, limit, interval, technique, .. } = written;
        Self { limit_type, key, limit, interval, technique }
    }
}

impl<'a> Parts<'a> {
    /// What is written of it: the places, and the keys.
    pub(super) fn given(&self) -> impl Iterator<Item = (&'a Place, &'static str)> {
        let all = [
            (self.limit_type.given().map(|given| &given.place), "limit_type"),
            (self.key.given().map(|given| &given.place), "key"),
            (self.limit.given().map(|given| &given.place), "limit"),
            (self.interval.given().map(|given| &given.place), "interval"),
            (self.technique.given().map(|given| &given.place), "technique"),
        ];
        all.into_iter().filter_map(|(place, key)| Some((place?, key)))
    }
}

impl Meaning<'_> {
    /// The limit of a strategy; `None` if it is none, which was reported.
    pub(super) fn limit_of(&mut self, written: &Strategy) -> Option<Limit> {
        let place = written.mode.given().map(|mode| &mode.place).unwrap_or(self.root).clone();
        self.limit(&Parts::from(written), &place, "strategy.")
    }

    /// A limit. `keys` is what stands before the names of its keys.
    pub(super) fn limit(&mut self, written: &Parts<'_>, place: &Place, keys: &str) -> Option<Limit> {
        for (key, is_absent) in [("limit", written.limit.is_absent()), ("interval", written.interval.is_absent())] {
            if is_absent {
                let message = format!("the limit has no \"{keys}{key}\"");
                self.mistake(place, message, "write how much there may be (limit), and in how long (interval)");
            }
        }
        let (limit, interval) = (written.limit.given()?, written.interval.given()?);
        let counts = written.limit_type.value().copied().unwrap_or(Counts::Requests);
        let max = match counts {
            Counts::Cost => Some(limit.value.nanodollars),
            Counts::Requests => limit.value.requests,
        };
        if max.is_none() {
            let message = "a number of requests is a whole number".to_owned();
            self.mistake(&limit.place, message, "write one, or \"limit_type: cost\" for dollars");
        }
        Some(Limit {
            counts,
            max: max?,
            per: interval.value,
            technique: written.technique.value().copied().unwrap_or(Technique::Sliding),
            key: written.key.value().map(|key| Box::from(key.0.as_str())).unwrap_or_default(),
        })
    }

    /// Reports what says something about a limit where there is none.
    pub(super) fn refuse_idle_limit(&mut self, written: &Strategy, mode: Mode) {
        if mode == Mode::Limit {
            return;
        }
        for (place, key) in Parts::from(written).given() {
            let message = format!("strategy.{key} is for the mode limit");
            self.mistake(place, message, "set \"mode: limit\", or remove it");
        }
    }
}
