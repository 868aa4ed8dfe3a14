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
    unpriced: Unpriced,
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
            let billed = Dimension::ALL.into_iter().filter(|dimension| !dimension.is_token());
            billed
                .filter(|dimension| *dimension != Dimension::Request && *dimension != Dimension::Search)
                .filter(|dimension| rates.rate(*dimension).is_some_and(|rate| rate != Rate(0)))
                .for_each(|dimension| cost.unpriced.add(dimension));
        }
        if usage.service_tier == Some(ServiceTier::Other) {
            cost.unpriced.0 |= Unpriced::TIER;
        }
        if cost.sum().is_none() {
            cost.unpriced.0 |= Unpriced::SUM;
        }
        cost
    }

    /// All of it; `None` if something that was used has no price.
    #[must_use]
    pub fn total(&self) -> Option<Nanodollars> {
        if self.unpriced.is_empty() { self.sum() } else { None }
    }

    /// The components that are not zero. They add up to the total.
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
        self.components.iter().try_fold(Nanodollars::ZERO, |sum, amount| sum.checked_add(*amount))
    }
}

/// What was used and has no price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpriced(u32);

impl Unpriced {
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
        dimensions.chain(of(Self::TIER, "service_tier")).chain(of(Self::SUM, "sum"))
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
        counts.set(Dimension::Search, usage.searches);
        counts.set(Dimension::Request, 1);
        const PIECES: [Dimension; 3] = [Dimension::Image, Dimension::Second, Dimension::Character];
        let by_the_piece = PIECES.into_iter().any(|piece| counts.0[piece as usize] > 0 && price.has_rate(piece));
        // Who bills pictures or seconds and has no rate for tokens reports the tokens for information only.
        if by_the_piece && !price.bills_tokens() {
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
