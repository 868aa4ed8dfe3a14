//! A form (RFC 7578) as it flows by: finds the `model` field, and makes sure that there is but one.
//!
//! Files are not looked into and nothing of them is kept. Where two readers could see two different forms, the form is
//! refused: the provider must see the model that the gateway saw.

mod part;

use std::ops::Range;

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use memchr::memmem::{self, Finder};

/// RFC 2046 §5.1.1.
const BOUNDARY_BYTES_MAX: usize = 70;
/// Spaces behind a boundary.
const PADDING_BYTES_MAX: usize = 70;
/// The head of a part.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// Longer names of models are nobody's.
const NAME_BYTES_MAX: usize = 1 << 10;

/// What separates the parts of a form of this media type; `None` if it is no form.
pub fn boundary(content_type: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(content_type).ok()?;
    let (media_type, parameters) = text.split_once(';')?;
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim();
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\');
    (!value.is_empty() && value.len() <= BOUNDARY_BYTES_MAX && value.chars().all(plain)).then_some(value)
}

/// A text field, to be put before all others.
pub fn field(boundary: &str, name: &str, value: &str) -> Bytes {
    Bytes::from(format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"))
}

/// The `model` field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelField {
    /// What it says.
    pub name: Box<str>,
    /// Where its value stands, counted from the beginning of the form.
    pub place: Range<u64>,
}

/// Reads a form as it flows by.
pub struct FormScan {
    /// `--` and the boundary.
    delimiter: Finder<'static>,
    state: State,
    /// What was fed and is not done with. It begins with the line end that stands before the first delimiter by thought.
    pending: Vec<u8>,
    /// What of `pending` is done with. It goes once for each piece: a piece may hold many small parts.
    done: usize,
    /// Where the rest of `pending` begins, that line end counted.
    at: u64,
    /// Whether the first delimiter has come.
    begun: bool,
    model: Option<ModelField>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first delimiter, or in a part. `model` if that is the model's.
    Content {
        model: bool,
    },
    /// Behind a delimiter.
    Delimiter,
    Head,
    Ended,
}

/// The line end that is thought before the form.
const BEFORE: &[u8] = b"\r\n";

impl FormScan {
    /// A form whose parts are separated by this.
    pub fn new(boundary: &str) -> Self {
        Self {
            delimiter: Finder::new(format!("--{boundary}").as_bytes()).into_owned(),
            state: State::Content { model: false },
            pending: BEFORE.to_vec(),
            done: 0,
            at: 0,
            begun: false,
            model: None,
        }
    }

    /// The model, if its field has come to its end.
    pub fn model(&self) -> Option<&ModelField> {
        self.model.as_ref()
    }

    /// Whether the last delimiter has come.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// It is not a form, names two models, or could be read in two ways.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.pending.extend_from_slice(piece);
        loop {
            let progressed = match self.state {
                State::Content { model } => self.content(model)?,
                State::Delimiter => self.behind_delimiter()?,
                State::Head => self.head()?,
                State::Ended => self.epilogue()?,
            };
            if !progressed {
                self.pending.drain(..self.done);
                self.done = 0;
                return Ok(());
            }
        }
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// The form is not whole.
    pub fn finish(&self) -> Result<(), Error> {
        if self.is_ended() { Ok(()) } else { Err(malformed("it ends before its last boundary")) }
    }

    fn content(&mut self, model: bool) -> Result<bool, Error> {
        let delimiter_bytes = self.delimiter.needle().len();
        let Some(start) = self.delimiter.find(self.rest()) else {
            // The beginning of a delimiter and the line end before it may stand at the end.
            let kept = delimiter_bytes - 1 + BEFORE.len();
            if model && self.rest().len() > NAME_BYTES_MAX + kept {
                return Err(wrong_name());
            }
            if !model {
                self.consume(self.rest().len().saturating_sub(kept));
            }
            return Ok(false);
        };
        let Some(content) = self.pending[self.done..self.done + start].strip_suffix(BEFORE) else {
            return Err(malformed("a boundary does not stand at the beginning of a line"));
        };
        if !self.begun && self.at + start as u64 != BEFORE.len() as u64 {
            return Err(malformed("something stands before its first boundary"));
        }
        self.begun = true;
        if model {
            let name = checked_name(content)?;
            let begin = self.at - BEFORE.len() as u64;
            let place = begin..begin + content.len() as u64;
            if self.model.replace(ModelField { name, place }).is_some() {
                let error = Error::new(ErrorCode::DuplicateField, "`model` stands twice in the form; send it once");
                return Err(error.with_param("model"));
            }
        }
        self.consume(start + delimiter_bytes);
        self.state = State::Delimiter;
        Ok(true)
    }

    fn behind_delimiter(&mut self) -> Result<bool, Error> {
        if self.rest().len() < 2 {
            return Ok(false);
        }
        if self.rest().starts_with(b"--") {
            self.consume(2);
            self.state = State::Ended;
            return Ok(true);
        }
        let padding = self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if padding > PADDING_BYTES_MAX {
            return Err(malformed("something stands behind a boundary"));
        }
        match self.rest().get(padding..padding + 2) {
            Some(b"\r\n") => {
                self.consume(padding + 2);
                self.state = State::Head;
                Ok(true)
            }
            None if self.rest()[padding..].iter().all(|byte| *byte == b'\r') => Ok(false),
            Some(_) | None => Err(malformed("something stands behind a boundary")),
        }
    }

    fn head(&mut self) -> Result<bool, Error> {
        let rest = self.rest();
        if rest.len() < 2 {
            return Ok(false);
        }
        let (lines, length) = if rest.starts_with(b"\r\n") {
            (&[][..], 2)
        } else {
            match memmem::find(rest, b"\r\n\r\n") {
                Some(end) if end <= HEAD_BYTES_MAX => (&rest[..end], end + 4),
                None if rest.len() <= HEAD_BYTES_MAX + 3 => return Ok(false),
                Some(_) | None => return Err(malformed("the head of a part is too long")),
            }
        };
        let model = part::is_model(lines)?;
        self.consume(length);
        // The line end before the next delimiter may be the one that ends the head: an empty part has none of its own. Two
        // readers might differ on that, so that it is not taken.
        self.state = State::Content { model };
        Ok(true)
    }

    fn epilogue(&mut self) -> Result<bool, Error> {
        if !self.rest().iter().all(u8::is_ascii_whitespace) {
            return Err(malformed("something stands behind its last boundary"));
        }
        self.consume(self.rest().len());
        Ok(false)
    }

    fn consume(&mut self, count: usize) {
        self.done += count;
        self.at += count as u64;
    }

    /// What was fed and is not done with.
    fn rest(&self) -> &[u8] {
        self.pending.get(self.done..).unwrap_or_default()
    }
}

/// The name of a model goes into headers and logs, so that it must be a line of text.
fn checked_name(value: &[u8]) -> Result<Box<str>, Error> {
    let name = std::str::from_utf8(value).ok().filter(|name| name.len() <= NAME_BYTES_MAX);
    match name {
        Some(name) if !name.is_empty() && !name.chars().any(char::is_control) => Ok(Box::from(name)),
        Some(_) | None => Err(wrong_name()),
    }
}

fn wrong_name() -> Error {
    let message = format!("`model` must be one line of text of at most {NAME_BYTES_MAX} bytes");
    Error::new(ErrorCode::InvalidRequest, message).with_param("model")
}

fn malformed(why: &str) -> Error {
    Error::new(ErrorCode::InvalidRequest, format!("the body is not a form that can be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".mp3\"\r\nContent-Type: audio/mpeg\r\n\r\nI-D3 --b \r\n-- model\r\n--b\r\n\r\n";
    const MODEL: &str = "--b0\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n";
    const END: &str = "--b0--\r\n";

    fn scan(form: &str, piece: usize) -> Result<Option<ModelField>, Error> {
        let mut scan = FormScan::new("b0");
        for piece in form.as_bytes().chunks(piece.max(1)) {
            scan.feed(piece)?;
        }
        scan.finish()?;
        Ok(scan.model().cloned())
    }

    #[test]
    fn the_model_is_found_before_and_behind_the_file_in_any_pieces() {
        for form in [format!("{MODEL}{FILE}{END}"), format!("{FILE}{MODEL}{END}"), format!("{MODEL}--b0--")] {
            for piece in 1..form.len() + 1 {
                let model = scan(&form, piece).unwrap().unwrap();
                let place = usize::try_from(model.place.start).unwrap()..usize::try_from(model.place.end).unwrap();
                assert_eq!((&*model.name, &form[place]), ("whisper-1", "whisper-1"), "{piece}");
            }
        }
        assert_eq!(scan(&format!("{FILE}{END}"), 5).unwrap(), None);
        assert_eq!(
            scan(&format!("{}{FILE}{END}", String::from_utf8_lossy(&field("b0", "model", "m"))), 5)
                .unwrap()
                .unwrap()
                .name,
            "m".into()
        );
    }

    #[test]
    fn a_form_that_two_readers_could_read_in_two_ways_is_refused() {
        for form in [
            format!("{MODEL}{MODEL}{END}"),
            format!("{MODEL}{FILE}{}{END}", MODEL.replace("whisper-1", "other")),
            // A boundary after a bare line feed.
            format!("{MODEL}{}", FILE.replace("\r\n--b\r\n", "\n--b0\r\n")),
            format!("{}{END}", MODEL.replace("name=", "name*=utf-8''other; name=")),
            format!("{}{END}", MODEL.replace("\"model\"", "\"model\"; name=\"x\"")),
            format!("{}{END}", MODEL.replace("\"model\"", "\"model\"; filename=\"x\"")),
            format!("{}{END}", MODEL.replace("\r\n\r\nw", "\r\ncontent-transfer-encoding: base64\r\n\r\nw")),
            format!("{}{END}", MODEL.replace("\r\n\r\nw", "\r\ncontent-disposition: form-data; name=x\r\n\r\nw")),
            format!("{}{END}", MODEL.replace("form-data; ", "form-data;\r\n ")),
            format!("{}{END}", MODEL.replace("whisper-1", "")),
            format!("{}{END}", MODEL.replace("whisper-1", "a\r\nb")),
            format!("{}{END}", MODEL.replace("whisper-1", &"a".repeat(2_000))),
            format!("{MODEL}--b0x\r\n"),
            format!("{MODEL}--b0--\r\n{MODEL}"),
            format!("{MODEL}{FILE}"),
            format!("preamble\r\n{MODEL}{END}"),
            format!("\r\n{MODEL}{END}"),
            String::new(),
        ] {
            for piece in [1, 7, form.len()] {
                assert!(scan(&form, piece).is_err(), "{piece}: {form}");
            }
        }
    }

    #[test]
    fn the_boundary_is_what_the_media_type_says() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=b0", Some("b0")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"b 0\"", None),
            ("multipart/form-data;boundary=\"----WebKit(x)\"", Some("----WebKit(x)")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("application/json; boundary=b0", None),
        ] {
            assert_eq!(boundary(content_type.as_bytes()), expected, "{content_type}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
    fn many_small_parts_in_one_piece_take_no_longer_than_in_many() {
        let part = b"--b\r\n\r\n\r\n";
        let form = part.repeat(200_000);
        let mut scan = FormScan::new("b");
        let before = std::time::Instant::now();
        scan.feed(&form).unwrap();
        assert!(before.elapsed() < std::time::Duration::from_secs(5), "{:?}", before.elapsed());
    }

    #[test]
    fn nothing_of_a_file_is_kept() {
        let mut scan = FormScan::new("b0");
        scan.feed(FILE.as_bytes()).unwrap();
        for _ in 0..100 {
            scan.feed(&[b'x'; 10_000]).unwrap();
            assert!(scan.pending.len() < 20, "{}", scan.pending.len());
        }
    }
}
