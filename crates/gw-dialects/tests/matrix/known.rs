//! What deviates from a law, and why. A row that no longer deviates fails the test, so that the list stays true.

/// What is held against every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Law {
    /// A fixture is what the vendor's schema allows.
    Fixture,
    /// What we send is what the provider's schema allows.
    Request,
    /// So is what goes into an envelope, by the schema of whoever serves it.
    Envelope,
    /// A request that is decoded, encoded in the same dialect and decoded again says the same, or it is told
    /// what was lost.
    RoundTrip,
    /// What we return is what the client's schema allows.
    Answer,
    /// So is every event of a stream that we return.
    Event,
    /// A stream means the same however it is cut.
    Cut,
    /// A stream keeps to the grammar, and says what the whole answer of the same name says.
    Twin,
    /// What a provider leaves with its clients comes back to it.
    Replay,
}

/// A case that deviates.
pub(crate) struct Deviation {
    /// From which law.
    pub(crate) law: Law,
    /// The dialect that deviates.
    pub(crate) dialect: &'static str,
    /// The case: its name, or the beginning of several names with a `*` behind it.
    pub(crate) case: &'static str,
    /// Why that is right.
    pub(crate) why: &'static str,
}

impl Deviation {
    /// Whether it is about this case.
    pub(crate) fn covers(&self, case: &str) -> bool {
        debug_assert!(!self.why.is_empty());
        match self.case.strip_suffix('*') {
            Some(beginning) => case.starts_with(beginning),
            None => self.case == case,
        }
    }
}

const fn deviation(law: Law, dialect: &'static str, case: &'static str, why: &'static str) -> Deviation {
    Deviation { law, dialect, case, why }
}

/// All that deviate.
pub(crate) const DEVIATIONS: &[Deviation] = &[
    deviation(
        Law::Fixture,
        "openai_chat",
        "streams/custom-tool-call",
        "the published schema of chunks does not know calls of custom tools",
    ),
    deviation(
        Law::Fixture,
        "mistral_chat",
        "answers/*",
        "the published schema asks for a member `data`, which belongs to lists; answers have none",
    ),
    deviation(
        Law::Request,
        "anthropic_messages",
        "anthropic_messages--beyond-claude-code",
        "`context_management` is of a beta that the schema leaves out; it passes through",
    ),
    deviation(
        Law::Request,
        "dashscope_chat",
        "openai_chat--beyond-video",
        "Qwen takes films, of which OpenAI's schema, the nearest that is published, knows nothing",
    ),
    deviation(
        Law::Request,
        "dashscope_chat",
        "openai_chat--beyond-unknown-content-part",
        "parts that others added pass through to whoever imitates OpenAI",
    ),
    deviation(
        Law::Envelope,
        "anthropic_messages@bedrock",
        "anthropic_messages--beyond-claude-code",
        "as above: `context_management`",
    ),
    deviation(
        Law::Envelope,
        "anthropic_messages@vertex",
        "anthropic_messages--beyond-claude-code",
        "as above: `context_management`",
    ),
    deviation(
        Law::Request,
        "openai_chat",
        "openai_chat--beyond-video",
        "parts that others added pass through to whoever imitates OpenAI",
    ),
    deviation(
        Law::Request,
        "openai_chat",
        "openai_chat--beyond-unknown-content-part",
        "parts that others added pass through to whoever imitates OpenAI",
    ),
    deviation(
        Law::Request,
        "openai_responses",
        "openai_responses--beyond-codex",
        "Codex leaves the ids of its reasoning items out, and OpenAI takes them so",
    ),
    deviation(
        Law::Request,
        "openai_responses",
        "anthropic_messages--thinking-history-sealed-by-the-gateway",
        "the id of the item was lost on the way; OpenAI takes thoughts without, and refuses those with a wrong one",
    ),
    deviation(
        Law::RoundTrip,
        "openai_chat",
        "a-user-message-between-results",
        "results stand right behind their calls",
    ),
    deviation(
        Law::RoundTrip,
        "openai_chat",
        "parallel-calls-with-results-out-of-order",
        "results stand in the order of their calls",
    ),
    deviation(Law::RoundTrip, "openai_chat", "arguments-empty", "no arguments are written as an empty object"),
    deviation(Law::RoundTrip, "openai_chat", "arguments-whitespace", "no arguments are written as an empty object"),
    deviation(Law::RoundTrip, "openai_chat", "beyond-thinking-history-*", "state goes back to its owner only"),
    deviation(Law::RoundTrip, "openai_chat", "empty-text-part", "a text of nothing is left out"),
    deviation(Law::RoundTrip, "openai_chat", "ids-weird-and-long", "ids that OpenAI refuses are replaced"),
    deviation(
        Law::RoundTrip,
        "openai_chat",
        "tool-names-weird",
        "names that OpenAI refuses are replaced, and put back in the answer",
    ),
    deviation(
        Law::RoundTrip,
        "openai_chat",
        "legacy-functions-history",
        "calls of the old form are written in the new one",
    ),
    deviation(Law::RoundTrip, "openai_chat", "legacy-function*", "functions of the old form are written as tools"),
    deviation(
        Law::RoundTrip,
        "openai_chat",
        "several-turns",
        "the texts of an assistant's turn are joined, which is how they were meant",
    ),
    deviation(
        Law::RoundTrip,
        "openai_responses",
        "parallel-calls-with-results-out-of-order",
        "results stand in the order of their calls",
    ),
    deviation(
        Law::RoundTrip,
        "openai_responses",
        "thinking-history-sealed-by-the-gateway",
        "state goes back to its owner only",
    ),
    deviation(
        Law::RoundTrip,
        "openai_responses",
        "tools-and-choice-of-one",
        "the wish to enforce a schema is always said, since the vendor's own choice is to",
    ),
    deviation(
        Law::RoundTrip,
        "anthropic_messages",
        "tools-and-any-choice",
        "Anthropic enforces schemas of closed objects only, so that one which does not say so is closed",
    ),
    deviation(
        Law::RoundTrip,
        "anthropic_messages",
        "parallel-calls-with-results-and-text-behind",
        "results stand in the order of their calls",
    ),
    deviation(
        Law::RoundTrip,
        "anthropic_messages",
        "thinking-history-sealed-by-the-gateway",
        "state goes back to its owner only",
    ),
    deviation(
        Law::RoundTrip,
        "gemini",
        "a-result-that-is-an-error",
        "a call without a signature is sent with Google's mark for that",
    ),
    deviation(
        Law::RoundTrip,
        "gemini",
        "calls-without-ids",
        "a call without a signature is sent with Google's mark for that",
    ),
    deviation(Law::RoundTrip, "gemini", "gemini-cli", "turns of one role that follow each other are joined"),
    deviation(
        Law::Event,
        "openai_chat",
        "openai_chat--custom-tool-call",
        "as above: chunks with calls of custom tools",
    ),
    deviation(
        Law::Event,
        "openai_chat",
        "openai_responses--custom-tool-call",
        "as above: chunks with calls of custom tools",
    ),
];
