//! `translation`, as written: what becomes of a request that is said in a provider's own format.

use std::time::Duration;

use crate::config::{Spanned, Unsupported};
use crate::names::AddressRange;
use crate::scalar::Size;
use crate::section::{choices, section};

section! {
    /// What becomes of a request for a provider that does not speak the client's format.
    Translation {
        /// What becomes of a parameter that the provider's format cannot say.
        unsupported: Unsupported, default "drop";
        /// Pictures and documents that a request names by their address, for providers that take only bytes.
        media: Media;
    }
}

section! {
    /// Pictures and documents that a request names by their address, for providers that take only bytes.
    Media {
        /// Address ranges (`10.0.0.0/8`) that may be asked besides public addresses; none if left out.
        allow: Vec<Spanned<AddressRange>>;
        /// Bytes of one of them.
        bytes: Size, default "20MiB";
        /// For fetching one of them.
        timeout: Duration, default "20s";
    }
}

choices! {
    Unsupported {
        "drop" => Unsupported::Drop, "It is left out, and the answer's headers say so.";
        "reject" => Unsupported::Reject, "The request is refused with status 400 if the answer may be another one without it.";
        "pass" => Unsupported::Pass, "It is sent as it is where it has no meaning of its own here.";
    }
}
