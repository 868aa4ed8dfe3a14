//! How much a model thinks: words and numbers of tokens. Vendors have one or the other; the table is a convention of the
//! field (`formats.md` §2), not an equivalence.

use gw_core::chat::Effort;

/// The least budget that vendors take.
pub const BUDGET_MIN: u64 = 1_024;

/// The effort that a budget comes nearest to.
pub fn effort(budget_tokens: u64) -> Effort {
    match budget_tokens {
        0 => Effort::None,
        1..=2_048 => Effort::Low,
        2_049..=10_240 => Effort::Medium,
        _ => Effort::High,
    }
}

/// The budget that an effort comes nearest to; 0 is not to think.
pub fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::None => 0,
        Effort::Minimal => BUDGET_MIN,
        Effort::Low => 2_048,
        Effort::Medium => 8_192,
        Effort::High => 16_384,
        Effort::XHigh => 32_768,
        Effort::Max => 65_536,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_efforts_survive_the_way_to_a_budget_and_back() {
        for common in [Effort::None, Effort::Low, Effort::Medium, Effort::High] {
            assert_eq!(effort(budget(common)), common);
        }
    }
}
