//! Media that a client named by an address, for providers that take only bytes.

use gw_config::config;
use gw_core::chat::{ChatRequest, Media, MediaSource, Part};
use gw_core::{Error, ErrorCode};
use gw_dialects::gemini;
use gw_dialects::shared::media;
use gw_http::{FetchLimits, Fetched, fetch};

use crate::budget::Taken;

/// Media of one request that are fetched.
const FETCHES_MAX: usize = 20;

/// How media are fetched.
pub struct MediaFetch {
    /// Which addresses may be asked.
    pub guard: gw_http::AddressGuard,
    /// How large a medium may be, and how long it may take.
    pub limits: FetchLimits,
}

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 3;

impl MediaFetch {
    /// As configured.
    pub(crate) fn new(media: &config::Media) -> Self {
        let allow = media.allow.iter().filter_map(|(address, bits)| format!("{address}/{bits}").parse().ok());
        Self {
            guard: allow.fold(gw_http::AddressGuard::public(), gw_http::AddressGuard::allowing),
            limits: FetchLimits { bytes_max: media.bytes, timeout: media.timeout, redirects_max: REDIRECTS_MAX },
        }
    }
}

/// Puts the bytes of media in the place of their addresses. What is fetched counts as held.
///
/// # Errors
/// `invalid_request`, if one cannot be fetched, or there are too many.
pub(crate) async fn fetch_all(request: &mut ChatRequest, settings: &MediaFetch, held: &mut Taken) -> Result<(), Error> {
    let parts = request.messages.iter_mut().flat_map(|message| &mut message.parts);
    let mut fetched_bytes = 0;
    for (count, media) in parts.flat_map(media_of).enumerate() {
        let MediaSource::Url { url, media_type } = &media.source else { continue };
        if count >= FETCHES_MAX {
            return Err(refused(format!("a request may name at most {FETCHES_MAX} media by their address here")));
        }
        let fetched = fetch(url, settings.limits, &settings.guard).await;
        let Fetched { media_type: said, bytes } = fetched.map_err(|error| {
            refused(format!(
                "an address in the messages could not be fetched for a provider that takes no addresses: {error}"
            ))
        })?;
        held.hold(fetched_bytes, bytes.len())?;
        fetched_bytes += bytes.len();
        let data = media::encoded(&bytes);
        // Bytes tell better than servers what they are.
        let sniffed = media::sniff(&data).map(str::to_owned);
        let media_type = sniffed.or_else(|| media_type.clone()).or(said);
        let media_type = media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        media.source = MediaSource::Inline { media_type, data };
    }
    Ok(())
}

/// The media in a part that are at an address which the provider does not reach by itself.
fn media_of(part: &mut Part) -> Vec<&mut Media> {
    let is_elsewhere = |media: &&mut Media| match &media.source {
        MediaSource::Url { url, .. } => !gemini::is_googles_own(url),
        _ => false,
    };
    match part {
        Part::Media(media) => Some(media).into_iter().filter(is_elsewhere).collect(),
        Part::ToolResult(result) => {
            let inner = result.content.iter_mut().filter_map(|part| match part {
                Part::Media(media) => Some(media),
                _ => None,
            });
            inner.filter(is_elsewhere).collect()
        }
        _ => Vec::new(),
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorCode::InvalidRequest, message).with_param("messages")
}
