//! The single values that can be decoded, and the two that need more than their text: secrets and files.

use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::decode::{Decode, Decoder};
use crate::file::{Amount, LimitKey};
use crate::file::{PerOne, PriceText};
use crate::names::{Address, AddressRange, EnvironmentName, KeyName, LogLevel, ModelName, ModelPattern, ProviderName};
use crate::node::Node;
use crate::quantities::{Growth, Jitter, Pause, Percentage, Share, SlowAfter, Status, Times, Tradeoff, Weight};
use crate::scalar::{Count, Json, Kind, Milliseconds, Size, kind};
use crate::secret::Secret;
use crate::shape::Shape;
use crate::text::reason;
use crate::url::{BaseUrl, CheckUrl, UrlPath, VariableValue, WebOrigin};

/// A value that must not be shown, and whether it stands in the configuration file itself.
pub(crate) struct SecretText {
    pub(crate) secret: Secret,
    pub(crate) literal: bool,
}

impl Decode for SecretText {
    const SHAPE: &'static Shape =
        &Shape::Scalar(Kind { name: "a secret", json: Json::Text, check: kind::<String>().check });

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let resolved = decoder.text(node, "a secret")?;
        Some(Self { secret: Secret::new(resolved.text.to_string()), literal: resolved.literal })
    }
}

/// A file that the configuration names, such as a certificate. It is there and can be read.
impl Decode for PathBuf {
    const SHAPE: &'static Shape =
        &Shape::Scalar(Kind { name: "a file", json: Json::Text, check: kind::<String>().check });

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        /// More than any certificate, key or bundle has.
        const BYTES_MAX: usize = 4 << 20;
        let resolved = decoder.text(node, "a file")?;
        let path = decoder.references.file(&resolved.text);
        match decoder.references.environment.read(&path, BYTES_MAX) {
            Ok(content) => {
                drop(Zeroizing::new(content));
                Some(path)
            }
            Err(error) => {
                let predicate = format!("cannot be read ({}): {}", reason(&error), resolved.shown);
                decoder.mistake(&node.place, predicate, Some("name a file that the gateway may read"));
                None
            }
        }
    }
}

/// Makes scalars decodable.
macro_rules! scalars {
    ($($scalar:ty),+ $(,)?) => {$(
        impl Decode for $scalar {
            const SHAPE: &'static Shape = &Shape::Scalar(kind::<$scalar>());

            fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
                decoder.scalar(node)
            }
        }
    )+};
}

scalars! {
    Address, AddressRange, BaseUrl, Count, Duration, KeyName, LogLevel, Milliseconds, ModelName, ProviderName, Size, String, UrlPath,
    VariableValue, WebOrigin, bool, i64, u16, PerOne, PriceText,
    CheckUrl, EnvironmentName, Growth, Jitter, ModelPattern, Pause, Percentage, Share, SlowAfter, Status, Times,
    Tradeoff, Weight, Amount, LimitKey,
}
