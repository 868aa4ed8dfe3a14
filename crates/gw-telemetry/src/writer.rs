//! Writes log lines on a thread of its own, so that nobody waits for a slow terminal or pipe.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

use crate::redact::redact;

/// What is kept of a buffer between bursts.
const KEPT_BYTES: usize = 32 << 10;

/// Takes whole lines and hands them to the thread. Clones are the same.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    bytes_max: usize,
    waiting: Condvar,
    written: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    writing: bool,
}

impl Writer {
    /// Starts the thread. At most `bytes_max` wait to be written. The thread lasts as long as the process.
    pub(crate) fn start(bytes_max: usize, output: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            bytes_max,
            waiting: Condvar::new(),
            written: Condvar::new(),
            dropped: AtomicU64::new(0),
        });
        let writer = Self(Arc::clone(&shared));
        thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_all(output))?;
        Ok(writer)
    }

    /// Queues whole lines, each with its line break, or drops all of them if there is no room.
    pub(crate) fn push(&self, lines: &[u8]) {
        let mut state = self.0.state.lock();
        if state.lines.len() + lines.len() > self.0.bytes_max {
            drop(state);
            self.0.count_dropped(lines);
            return;
        }
        let idle = state.lines.is_empty();
        state.lines.extend_from_slice(lines);
        drop(state);
        if idle {
            self.0.waiting.notify_one();
        }
    }

    /// Waits until everything is written, or until `limit`; says whether it is.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        let mut state = self.0.state.lock();
        !self.0.written.wait_while_for(&mut state, |state| state.busy(), limit).timed_out()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn write_all(&self, mut output: impl Write) {
        let mut lines = Vec::new();
        loop {
            self.take(&mut lines);
            if output.write_all(&lines).and_then(|()| output.flush()).is_err() {
                self.count_dropped(&lines);
            }
        }
    }

    /// Waits for lines, in exchange for those that have been written.
    fn take(&self, lines: &mut Vec<u8>) {
        lines.clear();
        let mut state = self.state.lock();
        state.writing = false;
        if state.lines.is_empty() {
            self.written.notify_all();
            // Nothing is in a hurry: what a burst took is given back.
            lines.shrink_to(KEPT_BYTES);
            state.lines.shrink_to(KEPT_BYTES);
        }
        self.waiting.wait_while(&mut state, |state| state.lines.is_empty());
        mem::swap(&mut state.lines, lines);
        state.writing = true;
    }

    fn count_dropped(&self, lines: &[u8]) {
        let count = lines.iter().filter(|byte| **byte == b'\n').count();
        self.dropped.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl State {
    fn busy(&self) -> bool {
        self.writing || !self.lines.is_empty()
    }
}

/// One event of `tracing`, which is written in one piece. It may quote others: a credential that somebody forgot to mask
/// is masked here.
impl Write for &Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(redact(&String::from_utf8_lossy(line)).as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = &'a Writer;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// An output that tests can look at and hold up.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    #[derive(Clone, Default)]
    pub(crate) struct Output(Arc<Mutex<Vec<u8>>>);

    impl Output {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }

        /// While this is held, nothing can be written.
        pub(crate) fn hold(&self) -> impl Drop + '_ {
            self.0.lock()
        }
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // A few bytes at a time, so that lines of several writers would be mixed if they could be.
            let count = bytes.len().min(7);
            self.0.lock().extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Output;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[test]
    fn lines_of_many_threads_never_mix() {
        let output = Output::default();
        let writer = Writer::start(1 << 20, output.clone()).unwrap();
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let writer = writer.clone();
                thread::spawn(move || {
                    (0..200).for_each(|line| writer.push(format!("<thread {thread} line {line}>\n").as_bytes()));
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(writer.flush(LIMIT));
        let text = output.text();
        assert_eq!(text.lines().count(), 800);
        for thread in 0..4 {
            let own: Vec<_> = text.lines().filter(|line| line.starts_with(&format!("<thread {thread} "))).collect();
            let expected: Vec<_> = (0..200).map(|line| format!("<thread {thread} line {line}>")).collect();
            assert_eq!(own, expected);
        }
    }

    #[test]
    fn a_stuck_output_holds_nobody_up_and_what_does_not_fit_is_counted() {
        let output = Output::default();
        let writer = Writer::start(100, output.clone()).unwrap();
        let held = output.hold();
        (0..1_000).for_each(|_| writer.push(b"0123456\n01\n"));
        assert!(!writer.flush(Duration::from_millis(1)));
        drop(held);
        assert!(writer.flush(LIMIT));
        let written = u64::try_from(output.text().lines().count()).unwrap();
        assert_eq!(written + writer.dropped(), 2_000);
        assert!(writer.dropped() >= 2_000 - 2 * 2 * 9, "{} were dropped", writer.dropped());
    }

    #[test]
    fn a_broken_output_is_counted_and_survived() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let writer = Writer::start(100, Broken).unwrap();
        for dropped in 1..=2 {
            writer.push(b"line\n");
            assert!(writer.flush(LIMIT));
            assert_eq!(writer.dropped(), dropped);
        }
    }

    #[test]
    fn a_credential_in_an_event_is_masked() {
        let output = Output::default();
        let writer = Writer::start(1_000, output.clone()).unwrap();
        (&writer).write_all(b"refused: sk-abcdefghijklmnop\n").unwrap();
        assert!(writer.flush(LIMIT));
        assert_eq!(output.text(), "refused: sk-***\n");
    }
}
