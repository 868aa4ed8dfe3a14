//! The log: which lines are written, how they look, and where they go.
//!
//! All lines go to standard error, in both formats; standard output is left to what a person started the program for.
//! They are written on a thread of their own. Whoever logs never waits: while the output is stuck, what does not fit
//! into [`BUFFER_BYTES`] is dropped and counted.

use std::fmt;
use std::io;
use std::panic;
use std::time::Duration;

use gw_runtime::Clock;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer as Line;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry, reload};

use crate::rfc3339::Timestamp;
use crate::writer::Writer;

/// The most that waits to be written.
pub const BUFFER_BYTES: usize = 4 << 20;

/// Modules of others that are kept at `info` unless they are named: they write what they send, which is secret.
const TALKATIVE: &[&str] = &["h2", "hyper", "hyper_util", "rustls"];

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a person at a terminal.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Why the log is not as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A part of the level cannot be read.
    #[error("log level `{0}` is not understood; write a level (off, error, warn, info, debug, trace) or module=level")]
    Level(String),
    /// The log was started before.
    #[error("the log is already running in this process")]
    Started,
    /// The thread that writes could not be started.
    #[error("the thread that writes the log could not be started")]
    Thread(#[from] io::Error),
}

/// Changes the log while it runs. Clones are the same.
#[derive(Clone)]
pub struct LogControl {
    filter: reload::Handle<Targets, Registry>,
    pub(crate) writer: Writer,
    pub(crate) format: Format,
}

/// Starts the log of the process. `level` is as in [`LogControl::set_level`].
///
/// # Errors
/// If the level cannot be read, the log was started before, or there is no thread to be had.
pub fn init(format: Format, level: &str) -> Result<LogControl, LogError> {
    let (control, subscriber) = subscriber(format, level, io::stderr())?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Started)?;
    Ok(control)
}

/// Makes every panic a line of the log, in place of what Rust writes to standard error.
pub fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("no message");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: "panic", place, "{message}");
    }));
}

impl LogControl {
    /// Sets which lines are written: a level for all (`info`), or several parts with a comma between them, of which
    /// those with a module are for it and what is in it (`info,gw_http=debug`). The target of finished requests is
    /// `request`. Where no part is for all, the level of the others is `info`.
    ///
    /// # Errors
    /// If a part cannot be read; the level stays as it was.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        let targets = parse(level)?;
        // It fails only if the log is gone, which it is not before the process is.
        let _ = self.filter.reload(targets);
        Ok(())
    }

    /// Waits until everything is written, at most for `limit`; says whether it is. Blocks: for the end of the program.
    pub fn flush(&self, limit: Duration) -> bool {
        self.writer.flush(limit)
    }

    /// How many lines were lost because they could not be written, or not fast enough.
    pub fn lines_dropped(&self) -> u64 {
        self.writer.dropped()
    }
}

pub(crate) fn subscriber(
    format: Format,
    level: &str,
    output: impl io::Write + Send + 'static,
) -> Result<(LogControl, impl tracing::Subscriber + Send + Sync), LogError> {
    let (filter, handle) = reload::Layer::new(parse(level)?);
    let writer = Writer::start(BUFFER_BYTES, output)?;
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_timer(WallClock(Clock::system()));
    let lines = lines.with_writer(writer.clone());
    let lines = match format {
        Format::Pretty => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    Ok((LogControl { filter: handle, writer, format }, subscriber))
}

fn parse(level: &str) -> Result<Targets, LogError> {
    let quiet = TALKATIVE.iter().map(|module| (*module, LevelFilter::INFO));
    let (mut default, mut modules) = (LevelFilter::INFO, Vec::new());
    for part in level.split(',').map(str::trim) {
        match part.split_once('=') {
            None => default = parse_level(part).ok_or_else(|| LogError::Level(part.to_owned()))?,
            Some((module, level)) => {
                let known = parse_level(level.trim()).filter(|_| is_module(module.trim()));
                modules.push((module.trim(), known.ok_or_else(|| LogError::Level(part.to_owned()))?));
            }
        }
    }
    let quiet = quiet.filter(|(_, level)| default > *level);
    // Of two parts for the same module the later holds.
    Ok(Targets::new().with_default(default).with_targets(quiet).with_targets(modules))
}

fn parse_level(name: &str) -> Option<LevelFilter> {
    let name = name.to_ascii_lowercase();
    let is_name = ["off", "error", "warn", "info", "debug", "trace"].contains(&name.as_str());
    name.parse().ok().filter(|_| is_name)
}

fn is_module(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|character| character.is_alphanumeric() || "_:-".contains(character))
}

struct WallClock(Clock);

impl FormatTime for WallClock {
    fn format_time(&self, line: &mut Line<'_>) -> fmt::Result {
        line.write_str(Timestamp::of(self.0.now()).as_str())
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;

    use super::*;
    use crate::writer::testing::Output;

    /// What is written at this level by `act`.
    fn logged(format: Format, level: &str, act: impl FnOnce(&LogControl)) -> String {
        let output = Output::default();
        let (control, subscriber) = subscriber(format, level, output.clone()).unwrap();
        with_default(subscriber, || act(&control));
        assert!(control.flush(Duration::from_secs(30)));
        output.text()
    }

    #[test]
    fn a_json_line_is_one_object_with_message_and_fields() {
        let text = logged(Format::Json, "info", |_| {
            tracing::warn!(provider = "openai", tries = 3, "cannot \"reach\"\nit");
        });
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "cannot \"reach\"\nit");
        assert_eq!((&line["provider"], &line["tries"]), (&"openai".into(), &3.into()));
        assert_eq!(line["timestamp"].as_str().unwrap().len(), "2024-02-29T12:34:56.789Z".len());
    }

    #[test]
    fn a_pretty_line_begins_with_time_and_level_and_holds_no_escape_codes() {
        let text = logged(Format::Pretty, "info", |_| tracing::info!(workers = 2, "ready"));
        assert!(text.ends_with("Z  INFO gw_telemetry::log::tests: ready workers=2\n"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn the_level_can_be_set_by_module_while_the_log_runs() {
        let text = logged(Format::Pretty, "warn", |control| {
            let log = |turn: u32| {
                tracing::info!(target: "gw_http::pool", turn, "pool");
                tracing::debug!(target: "gw_engine", turn, "engine");
                tracing::error!(target: "request", turn, "request");
            };
            log(1);
            control.set_level("debug,gw_http=warn,request=off").unwrap();
            log(2);
            assert!(control.set_level("info,gw_http=loud").is_err());
            log(3);
        });
        let found: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap().1.trim()).collect();
        assert_eq!(
            found,
            ["ERROR request: request turn=1", "DEBUG gw_engine: engine turn=2", "DEBUG gw_engine: engine turn=3"]
        );
    }

    #[test]
    fn others_do_not_write_what_they_send_unless_they_are_asked_to_by_name() {
        let log = |_: &LogControl| {
            tracing::trace!(target: "h2::hpack", "header");
            tracing::trace!(target: "gw_http", "own");
        };
        assert!(!logged(Format::Pretty, "trace", log).contains("header"));
        assert!(logged(Format::Pretty, "trace,h2=trace", log).contains("header"));
    }

    #[test]
    fn a_panic_is_a_line_that_says_what_and_where() {
        let before = panic::take_hook();
        log_panics();
        let text = logged(Format::Json, "info", |_| {
            let _ = panic::catch_unwind(|| panic!("no {}", "luck"));
        });
        panic::set_hook(before);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["level"], &line["target"]), (&"ERROR".into(), &"panic".into()));
        assert_eq!(line["message"], "no luck");
        assert!(line["place"].as_str().unwrap().contains("log.rs:"), "{text}");
    }

    #[test]
    fn a_level_with_a_slip_is_refused_and_named() {
        for (level, part) in [
            ("inof", "inof"),
            ("", ""),
            ("info,", ""),
            ("info,gw_http=loud", "gw_http=loud"),
            ("=info", "=info"),
            ("info,a b=info", "a b=info"),
            ("3", "3"),
        ] {
            let Err(LogError::Level(named)) = parse(level) else { panic!("{level} was understood") };
            assert_eq!(named, part);
        }
        assert!(parse("INFO, gw_http = Debug").is_ok());
    }
}
