//! Whether the gateway lives, and whether it wants requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use serde_json::json;

/// What the health endpoints tell.
#[derive(Default)]
pub struct Health {
    draining: AtomicBool,
    configuration: Mutex<Configuration>,
    catalog: Mutex<Option<CatalogRefresh>>,
    providers: Mutex<Vec<(Arc<str>, &'static str)>>,
}

/// How asking for newer models and prices went.
struct CatalogRefresh {
    models: usize,
    /// Why the last attempt failed, if it did.
    failure: Option<String>,
}

#[derive(Default)]
struct Configuration {
    generation: u64,
    /// What was wrong with the newest file, where the one before it is still in force.
    failure: Option<String>,
}

impl Health {
    /// A configuration is in force.
    pub fn configured(&self, generation: u64) {
        *self.configuration.lock() = Configuration { generation, failure: None };
    }

    /// A new configuration was refused; the old one stays in force.
    pub fn refused(&self, why: String) {
        self.configuration.lock().failure = Some(why);
    }

    /// An address was asked for newer models and prices: it gave so many, or failed and the last ones stay in force.
    pub fn catalog_refreshed(&self, models: usize, failure: Option<String>) {
        let mut catalog = self.catalog.lock();
        let kept = catalog.as_ref().map_or(0, |last| last.models);
        *catalog = Some(CatalogRefresh { models: if failure.is_some() { kept } else { models }, failure });
    }

    /// How the providers stand that are asked for their health, by their names.
    pub fn checked(&self, providers: Vec<(Arc<str>, &'static str)>) {
        *self.providers.lock() = providers;
    }

    /// The gateway was told to stop.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// `/health/live`: the process answers.
    pub fn live() -> (StatusCode, Bytes) {
        (StatusCode::OK, Bytes::from_static(br#"{"status":"ok"}"#))
    }

    /// `/health/ready`: the gateway wants requests. A configuration that could not be reloaded is told here, and leaves
    /// the gateway ready: it serves with the old one.
    pub fn ready(&self) -> (StatusCode, Bytes) {
        let draining = self.draining.load(Ordering::Relaxed);
        let configuration = self.configuration.lock();
        let mut detail = json!({ "generation": configuration.generation, "last_reload": "succeeded" });
        if let Some(failure) = &configuration.failure {
            detail["last_reload"] = "failed".into();
            detail["error"] = failure.as_str().into();
        }
        let mut body = json!({ "status": if draining { "draining" } else { "ready" }, "configuration": detail });
        if let Some(catalog) = &*self.catalog.lock() {
            let last = if catalog.failure.is_some() { "failed" } else { "succeeded" };
            body["catalog"] = json!({ "models": catalog.models, "last_refresh": last });
            if let Some(failure) = &catalog.failure {
                body["catalog"]["error"] = failure.as_str().into();
            }
        }
        let providers = self.providers.lock();
        if !providers.is_empty() {
            body["providers"] = providers.iter().map(|(name, state)| (name.to_string(), json!(state))).collect();
        }
        let status = if draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        (status, Bytes::from(body.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(health: &Health) -> (u16, serde_json::Value) {
        let (status, body) = health.ready();
        (status.as_u16(), serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn a_refused_configuration_is_told_and_forgotten_with_the_next_good_one() {
        let health = Health::default();
        health.configured(1);
        health.refused("config.yaml:3:1: unknown key \"modles\"".to_owned());
        let (status, body) = ready(&health);
        assert_eq!(status, 200);
        assert_eq!(body["configuration"]["last_reload"], "failed");
        assert!(body["configuration"]["error"].as_str().unwrap().contains("config.yaml:3:1"));
        health.configured(2);
        let (_, body) = ready(&health);
        assert_eq!(body["configuration"]["last_reload"], "succeeded");
        assert_eq!(body["configuration"]["generation"], 2);
    }

    #[test]
    fn prices_that_could_not_be_refreshed_are_told_and_leave_the_gateway_ready() {
        let health = Health::default();
        assert_eq!(ready(&health).1.get("catalog"), None);
        health.catalog_refreshed(7, None);
        health.catalog_refreshed(0, Some("the host does not have a public address".to_owned()));
        let (status, body) = ready(&health);
        assert_eq!((status, &body["catalog"]["models"]), (200, &serde_json::json!(7)));
        assert_eq!(body["catalog"]["last_refresh"], "failed");
    }

    #[test]
    fn providers_that_are_down_are_told_and_leave_the_gateway_ready() {
        let health = Health::default();
        health.checked(vec![(Arc::from("openai"), "up"), (Arc::from("groq"), "down")]);
        let (status, body) = ready(&health);
        assert_eq!((status, &body["providers"]), (200, &json!({ "openai": "up", "groq": "down" })));
    }

    #[test]
    fn a_draining_gateway_is_not_ready_but_lives() {
        let health = Health::default();
        health.drain();
        assert_eq!(ready(&health).0, 503);
        assert_eq!(Health::live().0, 200);
    }
}
