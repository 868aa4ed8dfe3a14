//! `auth`: who may call, as written.

use crate::config::{AuthMode, Spanned};
use crate::decode::{Decode, Decoder};
use crate::names::{EnvironmentName, KeyName};
use crate::node::{Node, Value};
use crate::section::{choices, section};
use crate::shape::Shape;
use crate::values::SecretText;

section! {
    /// Who may call.
    Auth {
        /// Whether keys are asked for. The default in the server profile is `required`.
        mode: AuthMode, default "optional";
        /// The keys, each with a name.
        keys: Vec<Spanned<NamedKey>>;
    }
}

section! {
    /// A key with a name.
    NamedKey {
        /// How the key is called in logs and metrics.
        name: KeyName, required;
        /// What the application presents: at least 16 characters, given by reference (`${APP_KEY}`,
        /// `${file:/run/secrets/app}`). In the server profile a key that stands in the file is refused.
        key: SecretText, required;
        /// The environment that serves its requests, in place of the one in force: a name of `environments`, or several.
        /// The first serves them; a request chooses another of them by the header `x-gateway-env`.
        environment or "environments": EnvironmentNames;
    }
}

/// One environment or several.
pub(crate) struct EnvironmentNames(pub(crate) Vec<Spanned<EnvironmentName>>);

impl Decode for EnvironmentNames {
    const SHAPE: &'static Shape = &Shape::Either(EnvironmentName::SHAPE, &Shape::List(EnvironmentName::SHAPE));

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if matches!(node.value, Value::List(_)) {
            return Vec::decode(node, decoder).map(Self);
        }
        let value = EnvironmentName::decode(node, decoder)?;
        Some(Self(vec![Spanned { value, place: node.place.clone() }]))
    }
}

choices! {
    AuthMode {
        "required" => AuthMode::Required, "A request without a known key is refused.";
        "optional" => AuthMode::Optional, "A key is checked if it is one of ours; requests without one are served.";
        "none" => AuthMode::None, "Keys are not looked at.";
        "passthrough" => AuthMode::Passthrough, "A key that is not ours is the provider's own and is forwarded.";
    }
}
