//! `auth`: who may call, as written.

use crate::config::{AuthMode, Spanned};
use crate::names::KeyName;
use crate::section::{choices, section};
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
