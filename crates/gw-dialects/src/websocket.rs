//! The frames of a WebSocket (RFC 6455 §5) as they go by: where they end, what a text says, and whether the rules are kept.
//!
//! Nothing is put together anew: who relays sends on the bytes that came.

use bytes::{BufMut, Bytes, BytesMut};

/// The most that one frame may hold, and one message of several.
const MESSAGE_BYTES_MAX: u64 = 64 << 20;
/// Longer messages are not shown.
const SHOWN_BYTES_MAX: usize = 1 << 20;
const HEAD_BYTES_MAX: usize = 14;
/// A control frame is short (§5.5).
const CONTROL_BYTES_MAX: u64 = 125;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// Who sends the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The client: its frames are masked.
    Client,
    /// The server: its frames are not.
    Server,
}

/// What went by.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// A whole text that a server sent.
    Text(&'a [u8]),
    /// The end, with its code, if it says one.
    Close(Option<u16>),
}

/// A rule was broken. The code is the one to close with (§7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// 1002 or 1009.
    pub code: u16,
    /// What was wrong.
    pub what: &'static str,
}

const fn wrong(what: &'static str) -> Violation {
    Violation { code: 1002, what }
}

const TOO_LONG: Violation = Violation { code: 1009, what: "a message is too long" };

/// Follows the frames of one direction.
pub struct FrameScan {
    sender: Sender,
    head: [u8; HEAD_BYTES_MAX],
    /// Bytes of the head that have come.
    head_bytes: usize,
    /// The frame whose payload is going by.
    frame: Option<Frame>,
    /// Whether the message that is going by, in one frame or several, is a text; `None` between two.
    message: Option<bool>,
    message_bytes: u64,
    /// What is kept of a text, or of the control frame.
    shown: Vec<u8>,
    control: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: u8,
    is_last: bool,
    /// Bytes of the payload to come.
    left: u64,
    mask: [u8; 4],
    /// Bytes of the payload that went by, modulo four.
    phase: usize,
}

impl FrameScan {
    /// No frame yet.
    pub fn new(sender: Sender) -> Self {
        Self {
            sender,
            head: [0; HEAD_BYTES_MAX],
            head_bytes: 0,
            frame: None,
            message: None,
            message_bytes: 0,
            shown: Vec::new(),
            control: Vec::new(),
        }
    }

    /// Whether whole messages have gone by: another one may be put after them.
    pub fn is_between(&self) -> bool {
        self.head_bytes == 0 && self.frame.is_none() && self.message.is_none()
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Which rule they break.
    pub fn feed(&mut self, mut bytes: &[u8], mut see: impl FnMut(Seen<'_>)) -> Result<(), Violation> {
        loop {
            if let Some(frame) = &mut self.frame {
                let count = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
                let (payload, rest) = bytes.split_at(count);
                let at = *frame;
                frame.left -= count as u64;
                frame.phase = (frame.phase + count) % 4;
                let is_over = frame.left == 0;
                self.keep(at, payload);
                bytes = rest;
                if !is_over {
                    return Ok(());
                }
                self.frame = None;
                self.end(at, &mut see);
            }
            let Some((first, rest)) = bytes.split_first() else { return Ok(()) };
            // Within bounds: a head is taken as soon as it is whole.
            if let Some(place) = self.head.get_mut(self.head_bytes) {
                *place = *first;
            }
            self.head_bytes += 1;
            bytes = rest;
            self.frame = self.begin()?;
        }
    }

    /// The frame whose head is whole.
    fn begin(&mut self) -> Result<Option<Frame>, Violation> {
        let [first, second, ..] = self.head;
        if self.head_bytes < 2 {
            return Ok(None);
        }
        let is_masked = second & 0x80 != 0;
        if is_masked != (self.sender == Sender::Client) {
            return Err(wrong("a frame is masked where it must not be, or is not where it must"));
        }
        let length_bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask_bytes = if is_masked { 4 } else { 0 };
        if self.head_bytes < 2 + length_bytes + mask_bytes {
            return Ok(None);
        }
        let (length, mask) = self.head[2..self.head_bytes].split_at(length_bytes);
        let length = match length {
            [] => u64::from(second & 0x7f),
            bytes => bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        let mask = mask.first_chunk().copied().unwrap_or_default();
        self.head_bytes = 0;
        if first & 0x70 != 0 {
            return Err(wrong("a frame uses an extension that was not agreed on"));
        }
        let frame = Frame { opcode: first & 0x0f, is_last: first & 0x80 != 0, left: length, mask, phase: 0 };
        self.check(&frame)?;
        Ok(Some(frame))
    }

    fn check(&mut self, frame: &Frame) -> Result<(), Violation> {
        match (frame.opcode, self.message) {
            (CLOSE | PING | PONG, _) if frame.left > CONTROL_BYTES_MAX || !frame.is_last => {
                return Err(wrong("a control frame is too long or in pieces"));
            }
            (CLOSE | PING | PONG, _) => {
                self.control.clear();
                return Ok(());
            }
            (CONTINUATION, Some(_)) => {}
            (TEXT | BINARY, None) => {
                self.message = Some(frame.opcode == TEXT);
                self.message_bytes = 0;
                self.shown.clear();
            }
            (CONTINUATION, None) | (TEXT | BINARY, Some(_)) => {
                return Err(wrong("the pieces of a message are mixed up"));
            }
            _ => return Err(wrong("a frame is of an unknown kind")),
        }
        self.message_bytes = self.message_bytes.saturating_add(frame.left);
        if self.message_bytes > MESSAGE_BYTES_MAX { Err(TOO_LONG) } else { Ok(()) }
    }

    fn keep(&mut self, frame: Frame, payload: &[u8]) {
        let kept = match frame.opcode {
            CLOSE => &mut self.control,
            PING | PONG => return,
            _ if self.sender == Sender::Server
                && self.message == Some(true)
                && self.message_bytes <= SHOWN_BYTES_MAX as u64 =>
            {
                &mut self.shown
            }
            _ => return,
        };
        let mask = frame.mask.iter().cycle().skip(frame.phase);
        kept.extend(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    }

    fn end(&mut self, frame: Frame, see: &mut impl FnMut(Seen<'_>)) {
        match frame.opcode {
            CLOSE => see(Seen::Close(self.control.first_chunk().map(|code| u16::from_be_bytes(*code)))),
            PING | PONG => {}
            _ if frame.is_last => {
                let is_shown = self.message == Some(true) && self.message_bytes <= SHOWN_BYTES_MAX as u64;
                self.message = None;
                if is_shown && self.sender == Sender::Server {
                    see(Seen::Text(&self.shown));
                }
            }
            _ => {}
        }
    }
}

/// A text as a server sends it.
pub fn text(text: &str) -> Bytes {
    frame(TEXT, text.as_bytes())
}

/// The end as a server says it.
pub fn close(code: u16, why: &str) -> Bytes {
    let room = CONTROL_BYTES_MAX as usize - 2;
    let why = &why[..why.floor_char_boundary(room)];
    frame(CLOSE, &[&code.to_be_bytes(), why.as_bytes()].concat())
}

fn frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + HEAD_BYTES_MAX);
    frame.put_u8(0x80 | opcode);
    match payload.len() {
        length @ 0..=125 => frame.put_u8(length as u8),
        length @ 126..=0xffff => {
            frame.put_u8(126);
            frame.put_u16(length as u16);
        }
        length => {
            frame.put_u8(127);
            frame.put_u64(length as u64);
        }
    }
    frame.put_slice(payload);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is seen, in pieces of so many bytes.
    fn seen(sender: Sender, bytes: &[u8], piece: usize) -> Result<(Vec<String>, bool), Violation> {
        let mut scan = FrameScan::new(sender);
        let mut all = Vec::new();
        for piece in bytes.chunks(piece) {
            scan.feed(piece, |seen| {
                all.push(match seen {
                    Seen::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                    Seen::Close(code) => format!("{code:?}"),
                });
            })?;
        }
        Ok((all, scan.is_between()))
    }

    #[test]
    fn texts_and_the_end_are_seen_in_any_pieces() {
        let long = "y".repeat(70_000);
        let pieces = [&[0x01, 2][..], b"ab", &[0x89, 1], b"!", &[0x80, 1], b"c"].concat();
        let bytes =
            [&text("hello")[..], &text(&long), &[0x82, 3, 1, 2, 3], &pieces, &text(""), &close(1011, "why")].concat();
        for piece in [1, 2, 5, 1_000, bytes.len()] {
            let (seen, between) = seen(Sender::Server, &bytes, piece).unwrap();
            assert_eq!(seen, ["hello", &long, "abc", "", "Some(1011)"], "{piece}");
            assert!(between);
        }
        assert!(!seen(Sender::Server, &bytes[..3], 1).unwrap().1);
        assert!(!seen(Sender::Server, &pieces[..4], 1).unwrap().1, "between the pieces of a message");
    }

    #[test]
    fn a_clients_frames_are_masked_and_only_their_end_is_looked_at() {
        let masked = [0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe8 ^ 2];
        let hello = [0x81, 0x81, 9, 9, 9, 9, b'h' ^ 9];
        assert_eq!(seen(Sender::Client, &[&hello[..], &masked].concat(), 3).unwrap().0, ["Some(1000)"]);
        assert_eq!(seen(Sender::Client, &[0x88, 0x80, 1, 2, 3, 4], 1).unwrap().0, ["None"]);
    }

    #[test]
    fn broken_rules_are_told_with_the_code_to_close_with() {
        let cases: [(Sender, &[u8], u16); 8] = [
            (Sender::Client, &[0x81, 0x01], 1002),
            (Sender::Server, &[0x81, 0x81], 1002),
            (Sender::Server, &[0xc1, 0x01], 1002),
            (Sender::Server, &[0x83, 0x01], 1002),
            (Sender::Server, &[0x80, 0x01], 1002),
            (Sender::Server, &[0x08, 0x01], 1002),
            (Sender::Server, &[0x88, 126, 0, 200], 1002),
            (Sender::Server, &[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0], 1009),
        ];
        for (sender, bytes, code) in cases {
            assert_eq!(seen(sender, bytes, 1).unwrap_err().code, code, "{bytes:x?}");
        }
    }
}
