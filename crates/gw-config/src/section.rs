//! The macros with which sections and choices are declared: one line a key.

/// Declares a section: its type *as written*, its decoder and its table for schema and reference.
///
/// ```text
/// section! {
///     /// What the section is for.
///     Metrics {
///         /// What the key is for.
///         enabled: bool, default "true";
///         /// `as` gives the key as it stands in the file.
///         kind as "type": String, required;
///         /// `or` gives another spelling of it.
///         read or "idle": Duration;
///     }
///     planned: [planned("custom_metrics", &TEXTS, "What this key will be for.")]
/// }
/// ```
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $(
                $(#[doc = $field_about:literal])+
                $field:ident $(as $key:literal)? $(or $alias:literal)? : $type:ty $(, $presence:ident $($default:literal)?)?;
            )*
        }
        $(planned: $planned:expr)?
    ) => {
        $(#[doc = $about])+
        #[derive(Default)]
        pub(crate) struct $name {
            $($(#[doc = $field_about])+ pub(crate) $field: $crate::decode::Written<$type>,)*
        }

        impl $name {
            /// The section as data.
            pub(crate) const SECTION: $crate::shape::Section = $crate::shape::Section {
                about: concat!($($about),+),
                fields: &[$($crate::shape::Field {
                    key: $crate::section::section!(@key $field $($key)?),
                    alias: $crate::section::section!(@option $($alias)?),
                    about: concat!($($field_about),+),
                    shape: <$type as $crate::decode::Decode>::SHAPE,
                    presence: $crate::section::section!(@presence $($presence $($default)?)?),
                },)*],
                planned: $crate::section::section!(@planned $($planned)?),
                open: false,
            };
        }

        impl $crate::decode::Decode for $name {
            const SHAPE: &'static $crate::shape::Shape = &$crate::shape::Shape::Section(&$name::SECTION);

            fn decode(node: &$crate::node::Node, decoder: &mut $crate::decode::Decoder<'_>) -> Option<Self> {
                let entries = decoder.section(node, &Self::SECTION)?;
                Some(Self {
                    $($field: decoder.field(
                        entries,
                        $crate::section::section!(@key $field $($key)?),
                        $crate::section::section!(@option $($alias)?),
                    ),)*
                })
            }
        }
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@option) => { None };
    (@option $alias:literal) => { Some($alias) };
    (@presence) => { $crate::shape::Presence::Optional };
    (@presence required) => { $crate::shape::Presence::Required };
    (@presence default $default:literal) => { $crate::shape::Presence::Default($default) };
    (@planned) => { &[] };
    (@planned $planned:expr) => { &$planned };
}

/// Declares how a choice is written: a word, the value it stands for, and what it does.
macro_rules! choices {
    ($name:ty { $($word:literal => $value:expr, $about:literal;)+ }) => {
        impl $crate::decode::Decode for $name {
            const SHAPE: &'static $crate::shape::Shape = &$crate::shape::Shape::Choice(&[
                $($crate::shape::Choice { word: $word, about: $about },)+
            ]);

            fn decode(node: &$crate::node::Node, decoder: &mut $crate::decode::Decoder<'_>) -> Option<Self> {
                const WORDS: &[&str] = &[$($word),+];
                match decoder.choice(node, WORDS)? {
                    $($word => Some($value),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use {choices, section};
