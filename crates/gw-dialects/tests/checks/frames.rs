//! What must hold for all frames of a WebSocket: shared by the tests and by the fuzz target.

use gw_dialects::websocket::{FrameScan, Seen, Sender};

/// What is seen of frames that come in these pieces, up to a broken rule, and whether whole messages went by.
fn read<'a>(sender: Sender, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Result<bool, u16>) {
    let mut scan = FrameScan::new(sender);
    let mut seen = Vec::new();
    for piece in pieces {
        let fed = scan.feed(piece, |one| {
            seen.push(match one {
                Seen::Text(text) => String::from_utf8_lossy(text).into_owned(),
                Seen::Close(code) => format!("{code:?}"),
            });
        });
        if let Err(violation) = fed {
            return (seen, Err(violation.code));
        }
    }
    (seen, Ok(scan.is_between()))
}

/// Frames mean the same however they arrive, from either side.
pub(crate) fn check(bytes: &[u8]) {
    for sender in [Sender::Client, Sender::Server] {
        let whole = read(sender, [bytes]);
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(read(sender, bytes.chunks(size)), whole, "{sender:?} in pieces of {size}");
        }
    }
}
