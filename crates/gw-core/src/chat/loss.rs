//! What a dialect cannot say.

use std::borrow::Cow;
use std::fmt;

/// Something that was asked for and that the provider's dialect cannot say. What becomes of it is the operator's choice;
/// that it becomes known is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The parameter, in OpenAI's words (`frequency_penalty`, `messages[].input_audio`).
    pub param: Cow<'static, str>,
    /// Why it cannot be said, or what is said in its place.
    pub why: Cow<'static, str>,
    /// Whether something like it is said in its place.
    pub replaced: bool,
}

impl Loss {
    /// What is left out.
    pub fn dropped(param: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { param: param.into(), why: why.into(), replaced: false }
    }

    /// What is said in another way that does not mean quite the same.
    pub fn replaced(param: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { param: param.into(), why: why.into(), replaced: true }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.param, self.why)
    }
}
