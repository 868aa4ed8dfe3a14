//! The same model in other words, for rules: a name without what stands before and behind it.

use gw_policy::condition::Spellings;

use crate::routing::control;

/// No model's name is longer, in bytes.
const NAME_MAX: usize = 512;
/// So many names of providers may stand before a model's: `openrouter/openai/gpt-4o`.
const PREFIXES_MAX: usize = 3;

/// A name as it is written, without the names of providers before it, and without the gateway's suffixes behind it.
pub(crate) fn of(written: Option<&str>) -> Spellings {
    match written.filter(|name| name.len() <= NAME_MAX) {
        None => Spellings::of(written),
        Some(name) => also(Spellings::of(written), name),
    }
}

/// What a provider is asked for that the request names beside the model.
pub(crate) fn at(spellings: Spellings, provider: &str, model: &str) -> Spellings {
    let bare = control::without_suffixes(model);
    also(spellings.or(&format!("{provider}/{model}")), &format!("{provider}/{bare}"))
}

/// The same model in the words of another name for it.
pub(crate) fn also(spellings: Spellings, name: &str) -> Spellings {
    let bare = control::without_suffixes(name);
    let spellings = spellings.or(name).or(bare);
    let tails = bare.match_indices('/').take(PREFIXES_MAX).filter_map(|(at, _)| bare.get(at + 1..));
    // Of the versions that a provider writes with a dash, clients may write a point (`claude-sonnet-4.5`).
    tails.fold(spellings, |all, tail| all.or(tail).or(&tail.replace('.', "-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_without_what_stands_before_and_behind_it() {
        assert_eq!(of(Some("gpt-4.1")), Spellings::of(Some("gpt-4.1")));
        assert_eq!(of(Some("o1:floor")), Spellings::of(Some("o1:floor")).or("o1"));
        let found = of(Some("openrouter/openai/o1:free:online"));
        let all = ["openrouter/openai/o1", "openai/o1", "o1"];
        assert_eq!(
            found,
            all.iter().fold(Spellings::of(Some("openrouter/openai/o1:free:online")), |all, one| all.or(one))
        );
        assert_eq!(of(None), Spellings::of(None));
    }
}
