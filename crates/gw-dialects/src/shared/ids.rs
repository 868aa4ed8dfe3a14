//! Ids and names made to fit a vendor's rules.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use gw_core::chat::{ChatRequest, Tool};

use crate::chat::ToolNames;

/// Hexadecimal digits that tell a changed id from another.
const MARK: usize = 8;

/// An id made from what it stands for: a request that is sent again has the same.
pub fn made(prefix: &str, of: impl Hash) -> String {
    format!("{prefix}_{:016x}", hash(of))
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// What a vendor allows.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Which characters.
    pub allows: fn(char) -> bool,
    /// How many, at most; more than the mark of a changed one takes.
    pub length_max: usize,
}

impl Rule {
    /// Letters, digits, `_` and `-`.
    pub const fn word(length_max: usize) -> Self {
        Self { allows: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'), length_max }
    }

    /// The id itself if it fits; else the nearest that does, with a mark made from the whole, so that two that differ stay
    /// two. The same id always becomes the same.
    pub fn fit(self, id: &str) -> Cow<'_, str> {
        if !id.is_empty() && id.len() <= self.length_max && id.chars().all(self.allows) {
            return Cow::Borrowed(id);
        }
        let kept: String = id
            .chars()
            .map(|c| if (self.allows)(c) { c } else { '_' })
            .filter(char::is_ascii)
            .take(self.length_max.saturating_sub(MARK + 1))
            .collect();
        Cow::Owned(format!("{kept}_{:08x}", hash(id) & 0xffff_ffff))
    }

    /// The names of a request's functions that do not fit, with what they become.
    pub fn names(self, request: &ChatRequest) -> ToolNames {
        let names = request.tools.iter().filter_map(Tool::name);
        let changed = names.filter_map(|name| match self.fit(name) {
            Cow::Borrowed(_) => None,
            Cow::Owned(sent) => Some((sent, name.to_owned())),
        });
        ToolNames(changed.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_kept_and_what_does_not_becomes_something_of_its_own() {
        let rule = Rule::word(16);
        assert_eq!(rule.fit("call_1"), "call_1");
        let long = "call_0123456789abcdef";
        for (one, other) in [("a.b", "a:b"), ("", "."), (long, "call_0123456789abcdeg"), ("é", "è")] {
            let (one, other) = (rule.fit(one), rule.fit(other));
            assert_ne!(one, other);
            for id in [one, other] {
                assert!(id.len() <= 16 && id.chars().all(rule.allows) && !id.is_empty(), "{id}");
                assert_eq!(rule.fit(&id), id);
            }
        }
        assert_eq!(rule.fit(long), rule.fit(long));
    }
}
