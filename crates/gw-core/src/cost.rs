//! What a request cost: its usage, at a model's price. Pure arithmetic on whole numbers.
//!
//! Parts of a whole are billed once: cached, written, audio and picture tokens are taken out of the input before the rest
//! is billed as text, and reasoning, audio and picture tokens out of the output. A part without a rate of its own costs what
//! the whole does, since then the vendor tells no other. Each component is rounded half up to the nanodollar, and the total
//! is the sum of the components. Whatever was used and has no rate makes the total unknown, never smaller.

use std::time::SystemTime;

use crate::money::{Nanodollars, Rate};
use crate::price::{Dimension, Price};
use crate::usage::{ServiceTier, Usage};

/// What a request cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    components: [Nanodollars; Dimension::ALL.len()],
    /// What is told as a whole, in place of components.
    undivided: Nanodollars,
    unpriced: Unpriced,
    source: CostSource,
    told: Option<Nanodollars>,
}

/// Who says what a request cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CostSource {
    /// The prices of the configuration and the catalogue.
    #[default]
    Prices,
    /// The provider, where something has no price here.
    Provider,
    /// The caller, where the operator lets it.
    Caller,
}

impl CostSource {
    /// Its name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prices => "prices",
            Self::Provider => "provider",
            Self::Caller => "caller",
        }
    }
}

impl Cost {
    /// What `usage` costs at `price`, at a time. Only prices with cheaper hours look at the time.
    #[must_use]
    pub fn of(usage: &Usage, price: &Price, at: SystemTime) -> Self {
        let mut cost = Self::default();
        let rates = price.rates(usage, at);
        let counts = Counts::of(usage, price);
        for dimension in Dimension::ALL {
            let count = counts.0[dimension as usize];
            if count == 0 {
                continue;
            }
            let found = rates.rate(dimension).and_then(|rate| rate.cost(count, dimension.divisor()));
            match found {
                Some(amount) => cost.components[dimension as usize] = amount,
                // Nobody says that requests are billed for themselves.
                None if dimension == Dimension::Request => {}
                None => cost.unpriced.add(dimension),
            }
        }
        if counts.0.iter().enumerate().all(|(index, count)| *count == 0 || index == Dimension::Request as usize) {
            // What is billed was not reported.
            const BILLED: [Dimension; 7] = [
                Dimension::Input,
                Dimension::Output,
                Dimension::AudioOutput,
                Dimension::ImageOutput,
                Dimension::Image,
                Dimension::Second,
                Dimension::Character,
            ];
            let has_rate = |dimension: &Dimension| price.own_rate(*dimension).is_some_and(|rate| rate != Rate(0));
            BILLED.into_iter().filter(has_rate).for_each(|dimension| cost.unpriced.add(dimension));
            if price.is_unknown() {
                cost.unpriced.0 |= Unpriced::USAGE;
            }
        }
        if usage.service_tier == Some(ServiceTier::Other) {
            cost.unpriced.0 |= Unpriced::TIER;
        }
        if cost.sum().is_none() {
            cost.unpriced.0 |= Unpriced::SUM;
        }
        cost
    }

    /// A whole that somebody says.
    #[must_use]
    pub fn said(total: Nanodollars, source: CostSource) -> Self {
        Self { undivided: total, source, ..Self::default() }
    }

    /// The same, said by somebody.
    #[must_use]
    pub fn by(self, source: CostSource) -> Self {
        Self { source, ..self }
    }

    /// The same, beside what the provider says, which holds where this is not known.
    #[must_use]
    pub fn or_told(self, told: Option<Nanodollars>) -> Self {
        match (told, self.total()) {
            (Some(whole), None) => Self { told, ..Self::said(whole, CostSource::Provider) },
            (_, Some(_)) | (None, _) => Self { told, ..self },
        }
    }

    /// All of it; `None` if something that was used has no price.
    #[must_use]
    pub fn total(&self) -> Option<Nanodollars> {
        if self.unpriced.is_empty() { self.sum() } else { None }
    }

    /// The part of the total that is not told by components: all of it, or nothing.
    #[must_use]
    pub fn undivided(&self) -> Nanodollars {
        self.undivided
    }

    /// Who says so.
    #[must_use]
    pub fn source(&self) -> CostSource {
        self.source
    }

    /// What the provider says that it cost.
    #[must_use]
    pub fn told(&self) -> Option<Nanodollars> {
        self.told
    }

    /// Whether the provider says something else: more than a hundredth more or less, and more than what rounding does.
    #[must_use]
    pub fn is_contradicted(&self) -> bool {
        const ROUNDING: i64 = 1_000;
        self.told.zip(self.total()).is_some_and(|(told, total)| {
            let difference = i128::from(told.0).abs_diff(i128::from(total.0));
            difference > u128::from(total.0.unsigned_abs()) / 100 && difference > u128::from(ROUNDING.unsigned_abs())
        })
    }

    /// The components that are not zero. They add up to the total, or the whole is [`undivided`](Self::undivided).
    pub fn components(&self) -> impl Iterator<Item = (Dimension, Nanodollars)> + '_ {
        let all = Dimension::ALL.into_iter().zip(self.components);
        all.filter(|(_, amount)| *amount != Nanodollars::ZERO)
    }

    /// What was used and has no price.
    #[must_use]
    pub fn unpriced(&self) -> Unpriced {
        self.unpriced
    }

    fn sum(&self) -> Option<Nanodollars> {
        self.components.iter().try_fold(self.undivided, |sum, amount| sum.checked_add(*amount))
    }
}

/// What was used and has no price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpriced(u32);

impl Unpriced {
    const USAGE: u32 = 1 << 29;
    const TIER: u32 = 1 << 30;
    const SUM: u32 = 1 << 31;

    /// Whether everything has a price.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of what has none.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let of = move |bit: u32, name| (self.0 & bit != 0).then_some(name);
        let dimensions = Dimension::ALL.into_iter().filter_map(move |one| of(1 << one as u32, one.name()));
        dimensions.chain(of(Self::USAGE, "usage")).chain(of(Self::TIER, "service_tier")).chain(of(Self::SUM, "sum"))
    }

    fn add(&mut self, dimension: Dimension) {
        self.0 |= 1 << dimension as u32;
    }
}

/// How often each dimension is billed.
struct Counts([u64; Dimension::ALL.len()]);

impl Counts {
    fn of(usage: &Usage, price: &Price) -> Self {
        let mut counts = Self([0; Dimension::ALL.len()]);
        counts.set(Dimension::Image, usage.images);
        counts.set(Dimension::Second, usage.media_ms);
        counts.set(Dimension::Character, usage.characters);
        counts.set(Dimension::Request, 1);
        // Who bills requests with searches does not bill the searches.
        match price.has_rate(Dimension::SearchedRequest) && !price.has_rate(Dimension::Search) {
            true => counts.set(Dimension::SearchedRequest, usage.searches.min(1)),
            false => counts.set(Dimension::Search, usage.searches),
        }
        // A reranker bills searches or tokens, and may report both.
        let reranks = usage.search_units > 0 && (price.has_rate(Dimension::Search) || !price.bills_tokens());
        if reranks {
            counts.set(Dimension::Search, usage.searches.saturating_add(usage.search_units));
        }
        const PIECES: [Dimension; 3] = [Dimension::Image, Dimension::Second, Dimension::Character];
        let by_the_piece = PIECES.into_iter().any(|piece| counts.0[piece as usize] > 0 && price.has_rate(piece));
        // Who bills pictures or seconds and has no rate for tokens reports the tokens for information only.
        if (by_the_piece || reranks) && !price.bills_tokens() {
            return counts;
        }
        counts.add_tokens(usage);
        // And the other way round.
        if price.bills_tokens() {
            PIECES.into_iter().filter(|piece| !price.has_rate(*piece)).for_each(|piece| counts.set(piece, 0));
        }
        counts
    }

    /// Each token once. What providers report is not to be trusted: parts that are more than the whole are cut.
    fn add_tokens(&mut self, usage: &Usage) {
        let mut input = usage.input_tokens;
        let mut take = |count: u64| {
            let taken = count.min(input);
            input -= taken;
            taken
        };
        let (cached, written) = (take(usage.cached_input_tokens), take(usage.cache_write_tokens));
        let for_an_hour = usage.cache_write_1h_tokens.min(written);
        let (audio, image) = (take(usage.audio_input_tokens), take(usage.image_input_tokens));
        self.set(Dimension::CachedInput, cached);
        self.set(Dimension::CacheWrite1h, for_an_hour);
        self.set(Dimension::CacheWrite, written - for_an_hour);
        self.set(Dimension::AudioInput, audio);
        self.set(Dimension::ImageInput, image);
        self.set(Dimension::Input, input);

        let mut output = usage.output_tokens;
        let mut take = |count: u64| {
            let taken = count.min(output);
            output -= taken;
            taken
        };
        self.set(Dimension::Reasoning, take(usage.reasoning_tokens));
        self.set(Dimension::AudioOutput, take(usage.audio_output_tokens));
        self.set(Dimension::ImageOutput, take(usage.image_output_tokens));
        self.set(Dimension::Output, output);
    }

    fn set(&mut self, dimension: Dimension, count: u64) {
        self.0[dimension as usize] = count;
    }
}

#[cfg(test)]
mod tests;
