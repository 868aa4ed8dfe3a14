//! `translation` as meant.

use crate::config::{Media, Translation};
use crate::file;

/// What becomes of a request that is said in another format.
pub(super) fn translation(written: Option<&file::Translation>) -> Translation {
    let default = Translation::default();
    let Some(written) = written else {
        return default;
    };
    Translation {
        unsupported: written.unsupported.value().copied().unwrap_or(default.unsupported),
        media: written.media.value().map_or(default.media, media),
    }
}

fn media(written: &file::Media) -> Media {
    let default = Media::default();
    let allow = written.allow.value().into_iter().flatten();
    Media {
        allow: allow.map(|range| (range.value.address, range.value.bits)).collect(),
        bytes: written.bytes.value().map_or(default.bytes, |size| size.0),
        timeout: written.timeout.value().copied().unwrap_or(default.timeout),
    }
}
