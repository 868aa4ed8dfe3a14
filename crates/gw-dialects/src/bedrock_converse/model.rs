//! What the id of a model tells of it. Converse is one format for models that differ; what they differ in is not in the
//! API's model, but in Amazon's and the vendors' guides.

/// A model's maker and generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// Anthropic's Claude.
    Claude {
        /// Its generation, such as 4.5.
        version: (u32, u32),
        /// Fable and Mythos refuse not to think.
        always_thinks: bool,
    },
    /// Amazon's Nova.
    Nova {
        /// 1 or 2.
        generation: u32,
    },
    /// OpenAI's open models.
    GptOss,
    /// Mistral's.
    Mistral {
        /// Whether it is of those that keep to a schema.
        keeps_schema: bool,
    },
    /// Cohere's.
    Cohere,
    /// Open models of others that keep to a schema: Qwen, DeepSeek, Gemma, Kimi, MiniMax, Nemotron.
    Open,
    /// Models that take no word about which tool to call: Llama, Jamba, Titan.
    Plain,
    /// An id that does not say: a profile, a provisioned or an imported model.
    Unknown,
}

/// How an answer is brought into a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shaping {
    /// By `outputConfig.textFormat`.
    Native,
    /// By a tool that must be called, whose arguments are the answer.
    Tool,
    /// By asking for it.
    Instruction,
}

impl Model {
    /// What an id tells: of a model, of a profile with a region before it, or within an ARN.
    pub(super) fn of(id: &str) -> Self {
        let id = id.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| id.contains(word));
        if let Some((_, name)) = id.split_once("claude-") {
            return Self::Claude { version: version(name), always_thinks: has(&["fable", "mythos"]) };
        }
        if let Some((_, name)) = id.split_once("amazon.nova-") {
            return Self::Nova { generation: if name.starts_with("2-") { 2 } else { 1 } };
        }
        if has(&["gpt-oss"]) {
            return Self::GptOss;
        }
        if has(&["mistral"]) {
            return Self::Mistral { keeps_schema: has(&["mistral-large-3", "ministral", "magistral", "voxtral"]) };
        }
        if has(&["cohere."]) {
            return Self::Cohere;
        }
        if has(&["qwen", "deepseek.v3", "gemma", "moonshot", "kimi", "minimax", "nemotron"]) {
            return Self::Open;
        }
        if has(&["meta.", "ai21.", "amazon.titan", "deepseek.r1", "writer."]) {
            return Self::Plain;
        }
        Self::Unknown
    }

    /// Whether it is a Claude of this generation or a later one.
    pub(super) fn is_claude_from(self, from: (u32, u32)) -> bool {
        matches!(self, Self::Claude { version, .. } if version >= from)
    }

    /// How its answers are brought into a shape ("Structured outputs" in Amazon's guide).
    pub(super) fn shaping(self) -> Shaping {
        match self {
            Self::Claude { version, .. } if version >= (4, 5) => Shaping::Native,
            Self::GptOss | Self::Open | Self::Mistral { keeps_schema: true } => Shaping::Native,
            Self::Claude { .. } | Self::Nova { .. } | Self::Mistral { .. } | Self::Unknown => Shaping::Tool,
            Self::Cohere | Self::Plain => Shaping::Instruction,
        }
    }

    /// Whether it can be told that it must call a tool.
    pub(super) fn takes_tool_choice(self) -> bool {
        !matches!(self, Self::Cohere | Self::Plain)
    }

    /// Whether it can be told which.
    pub(super) fn takes_tool_by_name(self) -> bool {
        matches!(self, Self::Claude { .. } | Self::Nova { .. } | Self::Unknown)
    }

    /// Whether it knows that the result of a tool may be a failure.
    pub(super) fn takes_tool_status(self) -> bool {
        matches!(self, Self::Claude { .. } | Self::Nova { .. } | Self::Unknown)
    }

    /// Whether it remembers what a cache point marks ("Prompt caching" in Amazon's guide).
    pub(super) fn caches(self) -> bool {
        matches!(self, Self::Claude { .. } | Self::Nova { .. } | Self::Unknown)
    }

    /// Whether thoughts may be shown to it again. Those of gpt-oss must not.
    pub(super) fn takes_thoughts(self) -> bool {
        matches!(self, Self::Claude { .. } | Self::Nova { .. } | Self::Unknown)
    }

    /// Whether it takes temperature and the like. Claude does not from 4.7 on.
    pub(super) fn takes_sampling(self) -> bool {
        !self.is_claude_from((4, 7))
    }
}

/// The generation in what follows `claude-`: `sonnet-4-5-20250929-v1:0`, `3-5-sonnet-20240620-v1:0`, `v2:1`.
fn version(name: &str) -> (u32, u32) {
    let words = name.split(['-', '.', ':', '/']);
    let number = |word: &str| word.parse::<u32>().ok().filter(|_| word.len() < 3);
    let mut numbers = words.clone().map(number).skip_while(Option::is_none).map_while(|number| number);
    match numbers.next() {
        // `v2:1`: the number behind the colon is no generation.
        _ if name.starts_with('v') || name.starts_with("instant") => (2, 0),
        Some(major) => (major, numbers.next().unwrap_or(0)),
        // A name without a number is a newer one than are known.
        None => (u32::MAX, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_the_model_wherever_it_stands() {
        for (id, expected) in [
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", (4, 5)),
            ("anthropic.claude-3-5-sonnet-20240620-v1:0", (3, 5)),
            ("anthropic.claude-3-haiku-20240307-v1:0", (3, 0)),
            ("anthropic.claude-opus-4-20250514-v1:0", (4, 0)),
            ("global.anthropic.claude-opus-4-6-v1", (4, 6)),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-1-20250805-v1:0",
                (4, 1),
            ),
            ("anthropic.claude-v2:1", (2, 0)),
            ("anthropic.claude-opus-5-5", (5, 5)),
        ] {
            assert_eq!(Model::of(id), Model::Claude { version: expected, always_thinks: false }, "{id}");
        }
        assert_eq!(Model::of("us.amazon.nova-2-lite-v1:0"), Model::Nova { generation: 2 });
        assert_eq!(Model::of("amazon.nova-pro-v1:0"), Model::Nova { generation: 1 });
        assert_eq!(Model::of("openai.gpt-oss-120b-1:0"), Model::GptOss);
        assert_eq!(Model::of("meta.llama3-1-70b-instruct-v1:0"), Model::Plain);
        let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
        assert_eq!(Model::of(profile), Model::Unknown);
        assert!(matches!(Model::of("anthropic.claude-fable-5-1"), Model::Claude { always_thinks: true, .. }));
    }
}
