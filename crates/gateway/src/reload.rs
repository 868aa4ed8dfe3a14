//! How a new configuration gets in: when a file that the last one was read from has changed, or on SIGHUP.
//!
//! Files are looked at once a second by what the file system says of them, links followed. That also sees Kubernetes
//! replacing a whole directory by a link, and needs nothing of the file system that a network mount may lack.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gw_config::Environment;
use gw_config::config::Config;
use gw_config::diagnostic::Diagnostics;
use gw_engine::budget::Budget;
use gw_engine::{Published, Snapshot};
use gw_http::tls::ServerCertificate;
use gw_server::Health;
use gw_telemetry::log::LogControl;
use gw_telemetry::{Registry, Reload};
use tokio::signal::unix::Signal;
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::Options;
use crate::settings::{self, Lasting};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a reload reaches.
pub(crate) struct Reloader {
    pub(crate) options: Options,
    pub(crate) running: Config,
    /// What the files looked like when `running` was read from them.
    pub(crate) seen: Seen,
    pub(crate) published: Arc<Published>,
    pub(crate) lasting: Arc<Lasting>,
    pub(crate) certificate: Option<Arc<ServerCertificate>>,
    pub(crate) held_bytes: Arc<Budget>,
    pub(crate) in_flight: Arc<Budget>,
    pub(crate) health: Arc<Health>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) log: LogControl,
}

impl Reloader {
    /// Watches for as long as the process lives.
    pub(crate) async fn run(mut self, mut hangup: Signal) {
        let mut timer = interval(LOOK_EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = timer.tick() => false,
                _ = hangup.recv() => true,
                () = self.lasting.newest.changed.notified() => {
                    self.rebuild();
                    continue;
                }
            };
            let now = look(&self.running.files);
            if asked || now != self.seen {
                self.reload();
                // What was seen before the files were read: one that changed meanwhile is read again.
                self.seen = look(&self.running.files);
                self.seen.extend(now.into_iter().filter(|(path, _)| self.running.files.contains(path)));
            }
        }
    }

    /// The same configuration, with newer models and prices.
    fn rebuild(&mut self) {
        let generation = self.published.current().generation + 1;
        let built = settings::build(&self.running, &self.lasting, generation);
        let published = built.map(|snapshot| self.publish(snapshot)).map_err(|error| error.to_string());
        self.tell(published.map(|()| generation));
    }

    fn publish(&self, snapshot: Snapshot) {
        for warning in &snapshot.warnings {
            tracing::warn!("{warning}");
        }
        self.published.publish(snapshot);
    }

    fn reload(&mut self) {
        let reloaded = self.try_reload();
        self.tell(reloaded);
    }

    fn tell(&self, reloaded: Result<u64, String>) {
        match reloaded {
            Ok(generation) => {
                self.health.configured(generation);
                self.registry.config_reloaded(Reload::Succeeded { generation });
                tracing::info!(generation, "configuration reloaded");
            }
            Err(error) => {
                self.health.refused(error.clone());
                self.registry.config_reloaded(Reload::Failed);
                tracing::error!(error, "the new configuration is refused; the old one stays in force");
            }
        }
    }

    fn try_reload(&mut self) -> Result<u64, String> {
        let text = |error: Diagnostics| error.to_string();
        if self.options.config.is_none() {
            return Err(
                "the gateway was started without a configuration file; start it with one to change it".to_owned()
            );
        }
        let settings = settings::read(&self.options, &Environment::process()).map_err(text)?;
        let generation = self.published.current().generation + 1;
        let snapshot = settings::build(&settings.config, &self.lasting, generation).map_err(text)?;
        if let Some(certificate) = &self.certificate {
            certificate.reload()?;
        }
        self.log.set_level(&settings.config.logging.level).map_err(|error| error.to_string())?;
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        for what in needs_restart(&self.running, &settings.config) {
            tracing::warn!("a changed {what} takes effect only after a restart");
        }
        self.held_bytes.set_max(settings.config.server.limits.held_bytes);
        self.in_flight.set_max(settings.config.server.limits.requests_in_flight);
        self.publish(snapshot);
        self.running = settings.config;
        Ok(generation)
    }
}

/// What of a new configuration the running process cannot follow.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let (old_server, new_server) = (&old.server, &new.server);
    let client =
        |config: &Config| (config.server.timeouts.header, config.server.timeouts.idle, config.server.timeouts.write);
    let address = |config: &Config| (config.catalog.url.clone(), config.catalog.refresh);
    let doors = |config: &Config| (config.server.limits.header_bytes, config.server.limits.connections);
    [
        ("profile", old.profile != new.profile),
        ("listen", old.listen != new.listen),
        ("server.workers", old_server.workers != new_server.workers),
        ("server.accept", old_server.accept != new_server.accept),
        ("server.tls", old_server.tls != new_server.tls),
        ("server.timeouts.header, idle or write", client(old) != client(new)),
        ("server.limits.header_bytes or connections", doors(old) != doors(new)),
        ("metrics", old.metrics != new.metrics),
        ("catalog.url or refresh", address(old) != address(new)),
        (
            "logging.format or requests",
            (old.logging.format, old.logging.requests) != (new.logging.format, new.logging.requests),
        ),
    ]
    .into_iter()
    .filter_map(|(what, changed)| changed.then_some(what))
    .collect()
}

/// What the file system says of each file.
pub(crate) type Seen = BTreeMap<PathBuf, Option<(SystemTime, u64, PathBuf)>>;

/// What the file system says of each file: when it was changed, its size, and what it really is behind all links.
pub(crate) fn look(files: &[PathBuf]) -> Seen {
    let one = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), path.canonicalize().ok()?))
    };
    files.iter().map(|path| (path.clone(), one(path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_link_is_seen_even_if_the_new_file_looks_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["one", "two"] {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::write(at(name).join("config.yaml"), "a: 1").unwrap();
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for name in ["one", "two"] {
            std::fs::File::options()
                .write(true)
                .open(at(name).join("config.yaml"))
                .unwrap()
                .set_modified(time)
                .unwrap();
        }
        std::os::unix::fs::symlink(at("one"), at("data")).unwrap();
        let files = vec![at("data").join("config.yaml")];
        let before = look(&files);
        assert_eq!(before, look(&files));
        std::fs::remove_file(at("data")).unwrap();
        assert_ne!(before, look(&files));
        std::os::unix::fs::symlink(at("two"), at("data")).unwrap();
        assert_ne!(before, look(&files));
    }

    #[test]
    fn what_a_running_process_cannot_follow_is_named() {
        let old = Config::local();
        let mut new = Config::local();
        assert!(needs_restart(&old, &new).is_empty());
        new.listen = vec!["127.0.0.1:1".parse().unwrap()];
        new.server.limits.body_bytes = 1;
        assert_eq!(needs_restart(&old, &new), ["listen"]);
    }
}
