//! What a request used.

/// Tokens as the provider reported them. Counts that a provider did not report are zero; a request of which nothing is
/// known has no `Usage` at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, the cached ones included.
    pub input_tokens: u64,
    /// Tokens of the answer, the reasoning ones included.
    pub output_tokens: u64,
    /// Prompt tokens that were read from the provider's cache.
    pub cached_input_tokens: u64,
    /// Prompt tokens that were written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Answer tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Prompt tokens that were audio.
    pub audio_input_tokens: u64,
    /// Answer tokens that were audio.
    pub audio_output_tokens: u64,
    /// Searches that a reranker bills: Cohere counts a query with up to a hundred documents as one.
    pub search_units: u64,
}

impl Usage {
    /// Joins two reports of the same answer. Providers report totals so far, in pieces and with placeholders, so each
    /// count is the larger of the two.
    #[must_use]
    pub fn merge(self, other: Usage) -> Usage {
        Usage {
            input_tokens: self.input_tokens.max(other.input_tokens),
            output_tokens: self.output_tokens.max(other.output_tokens),
            cached_input_tokens: self.cached_input_tokens.max(other.cached_input_tokens),
            cache_write_tokens: self.cache_write_tokens.max(other.cache_write_tokens),
            reasoning_tokens: self.reasoning_tokens.max(other.reasoning_tokens),
            audio_input_tokens: self.audio_input_tokens.max(other.audio_input_tokens),
            audio_output_tokens: self.audio_output_tokens.max(other.audio_output_tokens),
            search_units: self.search_units.max(other.search_units),
        }
    }

    /// Adds up what two exchanges used that together are one request.
    #[must_use]
    pub fn plus(self, other: Usage) -> Usage {
        Usage {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_input_tokens: self.cached_input_tokens.saturating_add(other.cached_input_tokens),
            cache_write_tokens: self.cache_write_tokens.saturating_add(other.cache_write_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
            audio_input_tokens: self.audio_input_tokens.saturating_add(other.audio_input_tokens),
            audio_output_tokens: self.audio_output_tokens.saturating_add(other.audio_output_tokens),
            search_units: self.search_units.saturating_add(other.search_units),
        }
    }
}
