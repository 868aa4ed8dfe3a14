//! What a model allows, told by its name. Sources: Anthropic's pages on versioning, extended and adaptive thinking and
//! structured outputs, as of November 2026. A name that is not known is treated with care: what every model takes.

use gw_core::chat::Effort;

/// A model, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    line: Line,
    /// Major and minor; `None` if the name has none.
    version: Option<(u32, u32)>,
}

/// How a model can be told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// It cannot.
    Never,
    /// With a budget of tokens.
    Budget,
    /// With a budget, or as it sees fit.
    Either,
    /// As it sees fit, with an effort in words.
    Adaptive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Opus,
    /// Thinks always.
    Tireless,
    Other,
    /// Not Anthropic's own, or under a name of the operator's.
    Unknown,
}

/// Of what a model without a known limit is asked for, when the client says nothing.
const MAX_TOKENS_UNKNOWN: u64 = 8_192;

impl Model {
    /// The model of that name, wherever it is served (`us.anthropic.claude-…-v1:0`, `claude-…@20250929`).
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let Some(at) = name.find("claude") else { return Self { line: Line::Unknown, version: None } };
        let words = || name[at..].split(|c: char| !c.is_ascii_alphanumeric()).skip(1);
        let line = match words().find(|word| word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_alphabetic())) {
            Some("opus") => Line::Opus,
            Some("fable" | "mythos") => Line::Tireless,
            _ => Line::Other,
        };
        // A date, or the "v1" of Bedrock, ends the version.
        let mut numbers = words()
            .skip_while(|word| word.parse::<u32>().is_err())
            .map_while(|word| word.parse::<u32>().ok().filter(|_| word.len() <= 2));
        let version = numbers.next().map(|major| (major, numbers.next().unwrap_or(0)));
        Self { line, version }
    }

    /// The most tokens of an answer, if the client does not say.
    pub(super) fn max_tokens(self) -> u64 {
        match (self.line, self.version) {
            (Line::Unknown, _) => MAX_TOKENS_UNKNOWN,
            (Line::Tireless, None) => 64_000,
            (_, None) => MAX_TOKENS_UNKNOWN,
            (_, Some((..=2, _) | (3, ..=4))) => 4_096,
            (_, Some((3, _))) => 8_192,
            (Line::Opus, Some((4, ..=4))) => 32_000,
            (_, Some(_)) => 64_000,
        }
    }

    /// The most tokens that it can give, if that is known: of answers that are longer than the default a client must know.
    pub(super) fn tokens_limit(self) -> Option<u64> {
        match self.version {
            Some((3, 7)) => Some(64_000),
            Some(version) if version >= (4, 6) => Some(128_000),
            Some(_) => Some(self.max_tokens()),
            None => None,
        }
    }

    /// Whether it takes `temperature`, `top_p` and `top_k`.
    pub(super) fn takes_sampling(self) -> bool {
        self.line != Line::Tireless && !self.is_from(4, 7)
    }

    /// Whether it takes `temperature` and `top_p` at once.
    pub(super) fn takes_two_samplings(self) -> bool {
        !self.is_from(4, 1)
    }

    /// How it can be told to think.
    pub(super) fn style(self) -> Style {
        match (self.line, self.version) {
            (Line::Unknown, _) => Style::Either,
            (Line::Tireless, _) => Style::Adaptive,
            (_, None) => Style::Budget,
            (_, Some(version)) if version < (3, 7) => Style::Never,
            (_, Some(version)) if version < (4, 6) => Style::Budget,
            (_, Some((4, 6))) => Style::Either,
            (_, Some(_)) => Style::Adaptive,
        }
    }

    /// Whether it can be told not to think.
    pub(super) fn can_rest(self) -> bool {
        self.line != Line::Tireless
    }

    /// Whether it may think without having been told.
    pub(super) fn thinks_unasked(self) -> bool {
        self.is_from(5, 0)
    }

    /// Whether it refuses not to think together with the greatest efforts.
    pub(super) fn rests_below_xhigh(self) -> bool {
        self.line == Line::Opus && self.is_from(5, 0)
    }

    /// Whether it knows `output_config.effort`.
    pub(super) fn takes_effort(self) -> bool {
        self.line == Line::Tireless || self.is_from(4, 6) || (self.line == Line::Opus && self.is_from(4, 5))
    }

    /// The nearest effort that it knows.
    pub(super) fn effort(self, effort: Effort) -> Effort {
        match effort {
            Effort::None | Effort::Minimal => Effort::Low,
            Effort::XHigh if self.line != Line::Tireless && !self.is_from(4, 7) => Effort::High,
            known => known,
        }
    }

    /// Whether it continues a text that the last message begins.
    pub(super) fn continues(self) -> bool {
        self.line != Line::Tireless && !self.is_from(4, 6)
    }

    /// Whether it keeps to a schema: in its answers, and for tools that are `strict`.
    pub(super) fn keeps_schema(self) -> bool {
        self.line == Line::Tireless || self.is_from(4, 5)
    }

    /// Whether it takes instructions in mid-conversation as messages of the role `system`. Those that do came with
    /// Opus 4.8 (Anthropic's page "What's new in Claude 4.8"); what other lines take is not written down.
    pub(super) fn takes_instructions(self) -> bool {
        self.line == Line::Opus && self.is_from(4, 8)
    }

    /// The newest search of the web that it knows.
    pub(super) fn web_search(self) -> &'static str {
        if self.line == Line::Tireless || self.is_from(4, 6) { "web_search_20260318" } else { "web_search_20250305" }
    }

    fn is_from(self, major: u32, minor: u32) -> bool {
        self.version.is_some_and(|version| version >= (major, minor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_every_way_of_naming_a_model() {
        for (name, version) in [
            ("claude-sonnet-4-5-20250929", (4, 5)),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", (4, 5)),
            ("anthropic.claude-opus-4-20250514-v1:0", (4, 0)),
            ("claude-opus-4-1@20250805", (4, 1)),
            ("claude-3-5-sonnet-20241022", (3, 5)),
            ("claude-3-haiku-20240307", (3, 0)),
            ("claude-3-7-sonnet-latest", (3, 7)),
            ("claude-2.1", (2, 1)),
            ("anthropic/claude-opus-5.5", (5, 5)),
            ("Claude-Opus-5-v1:0", (5, 0)),
        ] {
            assert_eq!(Model::of(name).version, Some(version), "{name}");
        }
        assert_eq!(Model::of("my-deployment-4-7"), Model { line: Line::Unknown, version: None });
    }

    #[test]
    fn each_generation_has_its_rules() {
        let of = Model::of;
        assert_eq!(of("claude-3-opus-20240229").max_tokens(), 4_096);
        assert_eq!(of("claude-3-5-haiku-latest").max_tokens(), 8_192);
        assert_eq!(of("claude-opus-4-1").max_tokens(), 32_000);
        assert_eq!(of("claude-sonnet-4-20250514").max_tokens(), 64_000);
        assert_eq!(of("kimi-k3").max_tokens(), 8_192);
        assert_eq!(of("claude-3-5-sonnet-latest").style(), Style::Never);
        assert_eq!(of("claude-haiku-4-5").style(), Style::Budget);
        assert_eq!(of("claude-opus-4-6").style(), Style::Either);
        assert_eq!(of("claude-opus-4-7").style(), Style::Adaptive);
        assert_eq!(of("claude-mythos-preview").style(), Style::Adaptive);
        assert!(!of("claude-fable-5-1").can_rest() && of("claude-opus-5-5").can_rest());
        assert!(of("claude-opus-4-6").takes_sampling() && !of("claude-sonnet-5").takes_sampling());
        assert!(of("claude-sonnet-4-5").continues() && !of("claude-sonnet-4-6").continues());
        assert!(of("claude-haiku-4-5").keeps_schema() && !of("claude-opus-4-1").keeps_schema());
        assert_eq!(of("claude-opus-4-6").effort(Effort::XHigh), Effort::High);
        assert_eq!(of("claude-opus-4-7").effort(Effort::XHigh), Effort::XHigh);
    }
}
