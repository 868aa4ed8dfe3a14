//! Writes finished requests to the log, batch by batch, away from the workers.

use gw_core::RequestRecord;
use tracing::Level;

use crate::log::{Format, LogControl};
use crate::request_line;
use crate::story::Named;
use crate::writer::Writer;

/// What is kept of the buffer between batches.
const KEPT_BYTES: usize = 64 << 10;

/// Makes lines of finished requests. Their target is `request`: a level for it (`request=warn`, `request=off`) says
/// which are written.
pub struct RequestLog {
    format: Format,
    writer: Writer,
    named: Named,
    lines: Vec<u8>,
}

impl RequestLog {
    /// Writes where the log goes, in its format. `named` is what people call a provider.
    pub fn new(log: &LogControl, named: Named) -> Self {
        Self { format: log.format, writer: log.writer.clone(), named, lines: Vec::new() }
    }

    /// Writes the records whose level is asked for.
    pub fn write(&mut self, records: &[RequestRecord]) {
        let wanted = Wanted::now();
        for record in records.iter().filter(|record| wanted.includes(request_line::level(record))) {
            match self.format {
                Format::Json => request_line::push_json(&mut self.lines, record),
                Format::Pretty => request_line::push_pretty(&mut self.lines, record, self.named),
            }
        }
        if !self.lines.is_empty() {
            self.writer.push(&self.lines);
        }
        self.lines.clear();
        self.lines.shrink_to(KEPT_BYTES);
    }
}

/// The levels at which requests are logged just now.
struct Wanted {
    error: bool,
    warn: bool,
    info: bool,
}

impl Wanted {
    fn now() -> Self {
        Self {
            error: tracing::enabled!(target: "request", Level::ERROR),
            warn: tracing::enabled!(target: "request", Level::WARN),
            info: tracing::enabled!(target: "request", Level::INFO),
        }
    }

    fn includes(&self, level: Level) -> bool {
        match level {
            Level::ERROR => self.error,
            Level::WARN => self.warn,
            Level::INFO | Level::DEBUG | Level::TRACE => self.info,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gw_core::{ErrorCode, Outcome};

    use super::*;
    use crate::log::subscriber;
    use crate::testing::record;
    use crate::writer::testing::Output;

    const LIMIT: Duration = Duration::from_secs(30);

    #[test]
    fn every_record_is_a_line() {
        let output = Output::default();
        let (control, subscriber) = subscriber(Format::Json, "info", output.clone()).unwrap();
        let _guard = tracing::subscriber::set_default(subscriber);
        RequestLog::new(&control, |_| None).write(&vec![record(); 600]);
        assert!(control.flush(LIMIT));
        let text = output.text();
        assert_eq!(text.lines().count(), 600);
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }

    #[test]
    fn the_level_of_request_lines_can_be_set_while_the_log_runs() {
        let output = Output::default();
        let (control, subscriber) = subscriber(Format::Pretty, "info", output.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let mut log = RequestLog::new(&control, |_| None);
            let failed = RequestRecord {
                outcome: Outcome::Failed,
                error: Some(ErrorCode::ProviderTimeout),
                status: 504,
                ..record()
            };
            for level in ["info", "info,request=warn", "info,request=off"] {
                control.set_level(level).unwrap();
                log.write(&[record(), failed.clone()]);
            }
        });
        assert!(control.flush(LIMIT));
        let text = output.text();
        let found: Vec<_> = text.lines().map(|line| line.split(' ').filter(|word| !word.is_empty()).nth(1)).collect();
        assert_eq!(found, [Some("INFO"), Some("WARN"), Some("WARN")]);
    }
}
