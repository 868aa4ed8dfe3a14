//! What is known of a value before there is a request.

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// True or false.
    Truth,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    List,
    Object,
    Null,
    /// What `type(x)` is.
    Type,
    /// What only a request tells.
    Unknown,
}

impl Kind {
    /// It in people's words.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Truth => "true or false",
            Self::Int => "a whole number",
            Self::Uint => "a whole number without sign",
            Self::Double => "a number with a fraction",
            Self::Text => "a text",
            Self::Bytes => "bytes",
            Self::List => "a list",
            Self::Object => "an object",
            Self::Null => "null",
            Self::Type => "a type",
            Self::Unknown => "a value",
        }
    }

    /// Whether it is, or may be, one of these.
    pub(super) fn may_be(self, wanted: &[Self]) -> bool {
        self == Self::Unknown || wanted.contains(&self)
    }

    /// Whether values of both may be equal, or stand in an order: numbers of any kind do.
    pub(super) fn may_compare(self, other: Self) -> bool {
        let are_numbers = self.is_number() && other.is_number();
        are_numbers || self == other || self == Self::Unknown || other == Self::Unknown
    }

    /// What either of both is.
    pub(super) fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Unknown }
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }
}
