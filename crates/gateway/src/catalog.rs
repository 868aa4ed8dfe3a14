//! Newer models and prices: from a file that is read with the configuration, or from an address that is asked now and then.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gw_config::config::CatalogUpdate;
use gw_config::diagnostic::{Diagnostic, Diagnostics, Place};
use gw_http::{AddressGuard, FetchLimits, fetch};
use gw_providers::catalog::Catalog;
use gw_providers::catalog::models::{ProviderModels, Update};
use gw_server::Health;
use gw_telemetry::Registry;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What is read of a file or an address: ten times what is built in.
const BYTES_MAX: usize = 8 << 20;
/// For all of a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS_MAX: usize = 3;

/// The newest models that an address gave.
#[derive(Default)]
pub(crate) struct Newest {
    update: Mutex<Option<Arc<Update>>>,
    /// Told when there are newer ones.
    pub(crate) changed: Notify,
}

impl Newest {
    /// The models that take the place of built-in ones: those of the configured file, else the newest of the address.
    pub(crate) fn of(&self, settings: &CatalogUpdate) -> Result<Option<Arc<Update>>, Diagnostics> {
        match &settings.file {
            Some(path) => read(path).map(|update| Some(Arc::new(update))),
            None => Ok(self.update.lock().clone().filter(|_| settings.url.is_some())),
        }
    }
}

fn read(path: &Path) -> Result<Update, Diagnostics> {
    let fail = |what: String| Diagnostics::from(vec![Diagnostic::error(&Place::nowhere(), what)]);
    let shown = path.display();
    let mut text = String::new();
    let file = File::open(path).map_err(|error| fail(format!("{shown}: {error}")))?;
    file.take(BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(|error| fail(format!("{shown}: {error}")))?;
    understood(&text).map_err(|error| fail(format!("{shown}: {error}")))
}

fn understood(text: &str) -> Result<Update, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("it is larger than {BYTES_MAX} bytes"));
    }
    Update::read(text, Catalog::builtin()).map_err(|error| error.to_string())
}

/// Reads the models of these provider types, so that no request has to wait for that.
pub(crate) async fn read_ahead(types: Vec<&'static str>) {
    for type_id in types {
        let _ = ProviderModels::builtin(type_id);
        tokio::task::yield_now().await;
    }
}

/// Asks an address for newer models for as long as the process lives. What cannot be used leaves the last in force.
pub(crate) async fn refresh(
    url: String,
    every: Duration,
    newest: Arc<Newest>,
    health: Arc<Health>,
    registry: Arc<Registry>,
) {
    let mut timer = tokio::time::interval(every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = String::new();
    loop {
        timer.tick().await;
        let asked = url.clone();
        let fetched = tokio::task::spawn_blocking(move || ask(&asked)).await;
        let text = fetched.unwrap_or_else(|_| Err("the fetch broke".to_owned()));
        match text.and_then(|text| understood(&text).map(|update| (text, update))) {
            Ok((text, update)) => {
                registry.catalog_refreshed(true);
                health.catalog_refreshed(update.len(), None);
                if text != last {
                    tracing::info!(models = update.len(), "newer models and prices are here");
                    *newest.update.lock() = Some(Arc::new(update));
                    newest.changed.notify_one();
                    last = text;
                }
            }
            Err(error) => {
                registry.catalog_refreshed(false);
                health.catalog_refreshed(0, Some(error.clone()));
                tracing::warn!(error, "newer models and prices could not be had; the last ones stay in force");
            }
        }
    }
}

/// Fetches the text. Fetching is made for one thread, so that it gets one.
fn ask(url: &str) -> Result<String, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let limits = FetchLimits { bytes_max: BYTES_MAX, timeout: FETCH_TIMEOUT, redirects_max: REDIRECTS_MAX };
    // The operator chose the address: it may be in a network of their own.
    let everywhere = ["0.0.0.0/0", "::/0"].into_iter().filter_map(|range| range.parse().ok());
    let guard = everywhere.fold(AddressGuard::public(), AddressGuard::allowing);
    let fetched = tokio::task::LocalSet::new().block_on(&runtime, fetch(url, limits, &guard));
    let bytes = fetched.map_err(|error| error.to_string())?.bytes;
    String::from_utf8(bytes.to_vec()).map_err(|_| "what was fetched is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_one_with_a_mistake_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("models.toml");
        let settings = CatalogUpdate { file: Some(path.clone()), ..CatalogUpdate::default() };
        let of = || Newest::default().of(&settings).map(|update| update.map(|update| update.len()));
        assert!(of().unwrap_err().to_string().contains("models.toml"));
        std::fs::write(&path, "[[model]]\nprovider = \"openai\"\nname = \"x\"\noperations = [\"chat\"]\n").unwrap();
        assert_eq!(of().unwrap(), Some(1));
        std::fs::write(&path, "[[model]]\nprovider = \"nobody\"\nname = \"x\"\noperations = [\"chat\"]\n").unwrap();
        assert!(of().unwrap_err().to_string().contains("\"nobody\""));
    }
}
