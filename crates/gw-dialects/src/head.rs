//! What the gateway reads of a request, whatever its dialect.

use crate::scan::Fields;

/// What the gateway reads of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The model as the client named it.
    pub model: Option<Box<str>>,
    /// Whether the client asks for a stream.
    pub stream: bool,
    /// Whether the client asks to be told the usage at the end of the stream.
    pub include_usage: bool,
    /// The provider that the client would like: our extension, which no provider is told.
    pub prefer_provider: Option<Box<str>>,
    /// The most tokens that the answer may have.
    pub max_output_tokens: Option<u64>,
    /// Where the members of the body stand.
    pub fields: Fields,
}
