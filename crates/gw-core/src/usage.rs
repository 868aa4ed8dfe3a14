//! What a request used.

use crate::Nanodollars;

/// What the provider reported as used. Counts that a provider did not report are zero; a request of which nothing is
/// known has no `Usage` at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, the cached ones included.
    pub input_tokens: u64,
    /// Tokens of the answer, the reasoning ones included.
    pub output_tokens: u64,
    /// Prompt tokens that were read from the provider's cache.
    pub cached_input_tokens: u64,
    /// Prompt tokens that were written to the provider's cache, for whatever time.
    pub cache_write_tokens: u64,
    /// Those of `cache_write_tokens` that are kept for an hour rather than for minutes.
    pub cache_write_1h_tokens: u64,
    /// Answer tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Prompt tokens that were audio.
    pub audio_input_tokens: u64,
    /// Answer tokens that were audio.
    pub audio_output_tokens: u64,
    /// Searches that a reranker bills: Cohere counts a query with up to a hundred documents as one.
    pub search_units: u64,
    /// Prompt tokens that were pictures.
    pub image_input_tokens: u64,
    /// Answer tokens that were pictures.
    pub image_output_tokens: u64,
    /// Searches of the web that the provider made.
    pub searches: u64,
    /// Pictures that were made.
    pub images: u64,
    /// Points of the largest of them, or of a film's frames.
    pub pixels: u32,
    /// Milliseconds of audio or video that were heard or made.
    pub media_ms: u64,
    /// Characters that were spoken.
    pub characters: u64,
    /// The service that was given, where it was not the usual one.
    pub service_tier: Option<ServiceTier>,
    /// What the provider itself says that the request cost.
    pub told_cost: Option<Nanodollars>,
}

/// A service that is billed in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceTier {
    /// Cheaper and slower.
    Flex,
    /// Dearer and faster.
    Priority,
    /// In a batch, within a day.
    Batch,
    /// One that is not known here.
    Other,
}

impl ServiceTier {
    /// What a provider's word for it means; `None` for the usual service.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "" | "auto" | "default" | "standard" | "on_demand" | "standard_only" => None,
            "flex" => Some(Self::Flex),
            "priority" => Some(Self::Priority),
            "batch" => Some(Self::Batch),
            _ => Some(Self::Other),
        }
    }

    /// Its name in logs and price files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Batch => "batch",
            Self::Other => "other",
        }
    }
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
            cache_write_1h_tokens: self.cache_write_1h_tokens.max(other.cache_write_1h_tokens),
            reasoning_tokens: self.reasoning_tokens.max(other.reasoning_tokens),
            audio_input_tokens: self.audio_input_tokens.max(other.audio_input_tokens),
            audio_output_tokens: self.audio_output_tokens.max(other.audio_output_tokens),
            search_units: self.search_units.max(other.search_units),
            image_input_tokens: self.image_input_tokens.max(other.image_input_tokens),
            image_output_tokens: self.image_output_tokens.max(other.image_output_tokens),
            searches: self.searches.max(other.searches),
            images: self.images.max(other.images),
            pixels: self.pixels.max(other.pixels),
            media_ms: self.media_ms.max(other.media_ms),
            characters: self.characters.max(other.characters),
            service_tier: other.service_tier.or(self.service_tier),
            told_cost: other.told_cost.or(self.told_cost),
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
            cache_write_1h_tokens: self.cache_write_1h_tokens.saturating_add(other.cache_write_1h_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
            audio_input_tokens: self.audio_input_tokens.saturating_add(other.audio_input_tokens),
            audio_output_tokens: self.audio_output_tokens.saturating_add(other.audio_output_tokens),
            search_units: self.search_units.saturating_add(other.search_units),
            image_input_tokens: self.image_input_tokens.saturating_add(other.image_input_tokens),
            image_output_tokens: self.image_output_tokens.saturating_add(other.image_output_tokens),
            searches: self.searches.saturating_add(other.searches),
            images: self.images.saturating_add(other.images),
            pixels: self.pixels.max(other.pixels),
            media_ms: self.media_ms.saturating_add(other.media_ms),
            characters: self.characters.saturating_add(other.characters),
            service_tier: other.service_tier.or(self.service_tier),
            // Of which one does not tell, the sum is not known.
            told_cost: self.told_cost.zip(other.told_cost).and_then(|(one, other)| one.checked_add(other)),
        }
    }
}
