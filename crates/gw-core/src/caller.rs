//! Who is calling.

use std::sync::Arc;

/// Who is calling, resolved from a key. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name of the key, never the key itself; `None` where no key was needed and none was presented.
    pub key_name: Option<Arc<str>>,
}

impl Caller {
    /// Somebody who presented no key.
    pub const ANONYMOUS: Caller = Caller { key_name: None };
}
