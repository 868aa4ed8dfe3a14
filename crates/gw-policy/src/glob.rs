//! Patterns of names: `*` stands for anything, as in `gpt-*` and `anthropic/*`.

/// A pattern. Letters of the Latin alphabet match in either case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);

/// Longer patterns are refused.
pub const LENGTH_MAX: usize = 1_024;

impl Glob {
    /// A pattern; `None` if it is empty or longer than [`LENGTH_MAX`] bytes.
    pub fn new(pattern: &str) -> Option<Self> {
        (!pattern.is_empty() && pattern.len() <= LENGTH_MAX).then(|| Self(Box::from(pattern)))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether all of a name matches.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut at, mut read) = (0, 0);
        // Where the last star stands, and how much of the name it has taken: it takes more where what follows fails.
        let mut star: Option<(usize, usize)> = None;
        while let Some(byte) = name.get(read) {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, read));
                    at += 1;
                }
                Some(wanted) if wanted.eq_ignore_ascii_case(byte) => {
                    at += 1;
                    read += 1;
                }
                Some(_) | None => {
                    let Some((place, taken)) = star else { return false };
                    star = Some((place, taken + 1));
                    at = place + 1;
                    read = taken + 1;
                }
            }
        }
        pattern.iter().skip(at).all(|byte| *byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::new(pattern).unwrap().matches(name)
    }

    #[test]
    fn a_star_stands_for_anything_and_everything_else_for_itself() {
        for (pattern, name) in [
            ("gpt-*", "gpt-4o"),
            ("gpt-*", "GPT-5-mini"),
            ("*", "anthropic/claude-sonnet-4.5"),
            ("*", ""),
            ("anthropic/*", "anthropic/claude"),
            ("*mini", "gpt-5-mini"),
            ("a*b*c", "a--b--b-c"),
            ("gpt-4o", "gpt-4o"),
            ("**x", "x"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("gpt-*", "o3"), ("gpt", "gpt-4o"), ("*mini", "gpt-5-mini-x"), ("a.c", "abc"), ("a", "")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(Glob::new("").is_none() && Glob::new(&"a".repeat(LENGTH_MAX + 1)).is_none());
    }

    #[test]
    fn a_pattern_of_stars_does_not_take_long() {
        assert!(!matches(&"*a".repeat(500), &"b".repeat(10_000)));
    }

    proptest! {
        #[test]
        fn it_means_what_the_regular_expression_means(pattern in "[ab*]{1,8}", name in "[ab]{0,12}") {
            let regex = regex::Regex::new(&format!("^{}$", pattern.replace('*', ".*"))).unwrap();
            prop_assert_eq!(matches(&pattern, &name), regex.is_match(&name));
        }
    }
}
