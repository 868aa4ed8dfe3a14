//! Every answer is compared with what the mock must have sent.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Result, bail, ensure};
use memchr::memmem;

use super::plan::Check;
use crate::exchange::Exchange;
use crate::template::Template;

/// The most that is kept of an answer that is checked by its meaning.
const KEPT_BYTES: usize = 4 << 20;

/// Checks one answer after the other.
pub(super) struct Checker {
    expected: Template,
    /// What must stand in the answer, in this order, where its bytes are not known.
    meaning: Vec<Template>,
    check: Check,
    nonce: u64,
    position: usize,
    /// The answer, if it can only be checked when it is whole.
    kept: Vec<u8>,
    /// Bytes of all answers, for everybody who counts.
    counter: Rc<Cell<u64>>,
}

impl Checker {
    /// Prepares the answer to expect.
    pub(super) fn new(exchange: Exchange, check: Check, counter: Rc<Cell<u64>>) -> Self {
        let expected = Template::new(exchange.answer());
        let meaning = exchange.meaning().into_iter().map(Template::new).collect();
        Self { expected, meaning, check, nonce: 0, position: 0, kept: Vec::new(), counter }
    }

    /// Expects the answer to the request with this nonce.
    pub(super) fn expect(&mut self, nonce: u64) {
        self.nonce = nonce;
        self.position = 0;
        self.kept.clear();
        match self.check {
            Check::Exact => self.expected.set_nonce(nonce),
            Check::Meaning => self.meaning.iter_mut().for_each(|word| word.set_nonce(nonce)),
        }
    }

    /// Takes the next part of the answer.
    pub(super) fn take(&mut self, part: &[u8]) -> Result<()> {
        self.counter.set(self.counter.get() + part.len() as u64);
        let end = self.position + part.len();
        match self.check {
            Check::Exact if self.expected.bytes().get(self.position..end) == Some(part) => {}
            Check::Exact => bail!("the answer differs from what was sent, at or after byte {}", self.position),
            Check::Meaning => {
                ensure!(end <= KEPT_BYTES, "the answer is longer than {KEPT_BYTES} bytes");
                self.kept.extend_from_slice(part);
            }
        }
        self.position = end;
        Ok(())
    }

    /// Bytes of the answer so far.
    pub(super) fn taken(&self) -> usize {
        self.position
    }

    /// Checks that nothing is missing.
    pub(super) fn finish(&self) -> Result<()> {
        match self.check {
            Check::Exact => {
                let whole = self.expected.bytes().len();
                ensure!(self.position == whole, "the answer ends after {} of {whole} bytes", self.position);
                Ok(())
            }
            Check::Meaning => self.check_meaning(),
        }
    }

    fn check_meaning(&self) -> Result<()> {
        let mut rest = self.kept.as_slice();
        for word in &self.meaning {
            let word = word.bytes();
            let Some(at) = memmem::find(rest, word) else {
                bail!("{:?} is missing, or not in order", String::from_utf8_lossy(word));
            };
            rest = &rest[at + word.len()..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Shape, Stream};

    const STREAM: Shape = Shape::Stream(Stream { chunks: 3, pause_ms: 0, usage: false });

    fn check_of(check: Check, answer: &[u8]) -> Result<()> {
        let mut checker = Checker::new(Exchange::openai(STREAM, 1024), check, Rc::new(Cell::new(0)));
        checker.expect(7);
        for part in answer.chunks(100) {
            checker.take(part)?;
        }
        checker.finish()
    }

    fn answer_to(nonce: u64) -> Vec<u8> {
        Template::new(Exchange::openai(STREAM, 1024).answer()).filled(nonce, 0).to_vec()
    }

    #[test]
    fn an_answer_as_it_was_sent_passes() {
        check_of(Check::Exact, &answer_to(7)).unwrap();
        check_of(Check::Meaning, &answer_to(7)).unwrap();
    }

    #[test]
    fn somebody_elses_answer_is_noticed() {
        check_of(Check::Exact, &answer_to(8)).unwrap_err();
    }

    #[test]
    fn an_answer_that_was_cut_or_goes_on_is_noticed() {
        let answer = answer_to(7);
        check_of(Check::Exact, &answer[..answer.len() - 1]).unwrap_err();
        check_of(Check::Meaning, &answer[..answer.len() - 10]).unwrap_err();
        check_of(Check::Exact, &[&answer[..], b"\n"].concat()).unwrap_err();
    }

    #[test]
    fn chunks_in_the_wrong_order_are_noticed() {
        let answer = String::from_utf8(answer_to(7)).unwrap();
        let answer = answer.replace("w00002", "w-----").replace("w00003", "w00002").replace("w-----", "w00003");
        check_of(Check::Exact, answer.as_bytes()).unwrap_err();
        check_of(Check::Meaning, answer.as_bytes()).unwrap_err();
    }
}
