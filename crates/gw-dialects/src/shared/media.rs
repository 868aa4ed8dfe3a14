//! Media: `data:` addresses, and what bytes say of themselves.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD as ENCODER};

use crate::shared::percent;

/// As many bytes tell what a file is.
const SIGNATURE_BASE64: usize = 24;

/// What clients write is read with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Bytes that stand in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inline {
    /// Their media type, without parameters.
    pub media_type: String,
    /// The bytes in base64 of the standard alphabet, padded, without line breaks.
    pub data: String,
}

/// What a `data:` address holds (RFC 2397); `None` if it is not one, or cannot be read.
pub fn data_url(url: &str) -> Option<Inline> {
    let (scheme, rest) = url.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let (about, data) = rest.split_once(',')?;
    let mut fields = about.split(';').map(str::trim);
    let media_type = fields.next().filter(|name| !name.is_empty()).unwrap_or("text/plain").to_ascii_lowercase();
    let is_base64 = fields.any(|field| field.eq_ignore_ascii_case("base64"));
    let data = if is_base64 { base64(percent::decoded(data))? } else { ENCODER.encode(percent::decoded(data)) };
    Some(Inline { media_type, data })
}

/// Base64 as vendors want it, from base64 as clients write it: the alphabet of addresses, line breaks, no padding. `None`
/// if it is none.
pub fn base64(text: impl AsRef<[u8]>) -> Option<String> {
    let plain: Vec<u8> = text
        .as_ref()
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    LENIENT.decode(plain).ok().map(|bytes| ENCODER.encode(bytes))
}

/// Bytes in base64 as vendors want it.
pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    ENCODER.encode(bytes)
}

/// The bytes of base64 in any of its ways of writing.
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    base64(text).and_then(|text| ENCODER.decode(text).ok())
}

/// What bytes in base64 say of themselves; `None` if it is nothing that models look at.
pub fn sniff(data: &str) -> Option<&'static str> {
    let start = data.get(..SIGNATURE_BASE64.min(data.len() / 4 * 4))?;
    let bytes = LENIENT.decode(start).ok()?;
    let at = |from: usize, signature: &[u8]| bytes.get(from..from + signature.len()) == Some(signature);
    let signatures: [(bool, &'static str); 9] = [
        (at(0, b"\x89PNG\r\n\x1a\n"), "image/png"),
        (at(0, b"\xff\xd8\xff"), "image/jpeg"),
        (at(0, b"GIF8"), "image/gif"),
        (at(0, b"RIFF") && at(8, b"WEBP"), "image/webp"),
        (at(0, b"RIFF") && at(8, b"WAVE"), "audio/wav"),
        (at(0, b"%PDF-"), "application/pdf"),
        (at(0, b"ID3") || at(0, b"\xff\xfb"), "audio/mpeg"),
        (at(0, b"OggS"), "audio/ogg"),
        (at(0, b"fLaC"), "audio/flac"),
    ];
    signatures.into_iter().find_map(|(found, media_type)| found.then_some(media_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_address_is_read_however_it_is_written() {
        for (url, media_type, data) in [
            ("data:image/png;base64,iVBORw0K", "image/png", "iVBORw0K"),
            ("DATA:Image/PNG;charset=utf-8;BASE64,iVBO\nRw0K", "image/png", "iVBORw0K"),
            ("data:image/png;base64,-_8", "image/png", "+/8="),
            ("data:image/png;base64,%2B%2F8%3D", "image/png", "+/8="),
            ("data:,a%20b", "text/plain", "YSBi"),
            ("data:text/csv,x", "text/csv", "eA=="),
        ] {
            let expected = Inline { media_type: media_type.to_owned(), data: data.to_owned() };
            assert_eq!(data_url(url), Some(expected), "{url}");
        }
        for url in ["https://a", "data:", "data", "data:image/png;base64,!", "é", "datä:x,y"] {
            assert_eq!(data_url(url), None, "{url}");
        }
    }

    #[test]
    fn bytes_tell_what_they_are() {
        let of = |bytes: &[u8]| sniff(&ENCODER.encode(bytes));
        assert_eq!(of(b"\x89PNG\r\n\x1a\n0000"), Some("image/png"));
        assert_eq!(of(b"\xff\xd8\xff\xe0aaaaaaaaaaaaaaaaaaaaaaaaaaaa"), Some("image/jpeg"));
        assert_eq!(of(b"RIFF0000WEBPVP8 "), Some("image/webp"));
        assert_eq!(of(b"RIFF0000WAVEfmt "), Some("audio/wav"));
        assert_eq!(of(b"%PDF-1.7"), Some("application/pdf"));
        assert_eq!(of(b""), None);
        assert_eq!(sniff("é"), None);
    }
}
