//! What a model costs: its rates, and the rates that take their place for long requests, other services, cheaper hours.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::money::Rate;
use crate::usage::{ServiceTier, Usage};

/// What can be billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Dimension {
    /// A token of the prompt.
    Input,
    /// A prompt token read from the provider's cache.
    CachedInput,
    /// A prompt token written to the provider's cache for minutes.
    CacheWrite,
    /// A prompt token written to the provider's cache for an hour.
    CacheWrite1h,
    /// A prompt token that is audio.
    AudioInput,
    /// A prompt token that is a picture's.
    ImageInput,
    /// A token of the answer.
    Output,
    /// An answer token spent on reasoning.
    Reasoning,
    /// An answer token that is audio.
    AudioOutput,
    /// An answer token that is a picture's.
    ImageOutput,
    /// A picture that was made.
    Image,
    /// A second of audio or video.
    Second,
    /// A character that was spoken.
    Character,
    /// A request for itself.
    Request,
    /// A search of the web.
    Search,
    /// A request for which the web was searched, however often.
    SearchedRequest,
}

impl Dimension {
    /// Every dimension, in their order.
    pub const ALL: [Self; 16] = [
        Self::Input,
        Self::CachedInput,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::AudioInput,
        Self::ImageInput,
        Self::Output,
        Self::Reasoning,
        Self::AudioOutput,
        Self::ImageOutput,
        Self::Image,
        Self::Second,
        Self::Character,
        Self::Request,
        Self::Search,
        Self::SearchedRequest,
    ];

    /// Its name in files, logs and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CachedInput => "cached_input",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::AudioInput => "audio_input",
            Self::ImageInput => "image_input",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioOutput => "audio_output",
            Self::ImageOutput => "image_output",
            Self::Image => "image",
            Self::Second => "second",
            Self::Character => "character",
            Self::Request => "request",
            Self::Search => "search",
            Self::SearchedRequest => "searched_request",
        }
    }

    /// The dimension of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == name)
    }

    /// Whether it is a part of what was sent to the model.
    pub const fn is_input(self) -> bool {
        matches!(
            self,
            Self::Input
                | Self::CachedInput
                | Self::CacheWrite
                | Self::CacheWrite1h
                | Self::AudioInput
                | Self::ImageInput
        )
    }

    /// Whether files say what a million of it costs, rather than what one does.
    pub const fn is_per_million(self) -> bool {
        self.is_token() || matches!(self, Self::Character)
    }

    /// Whether it is a kind of token.
    pub const fn is_token(self) -> bool {
        match self {
            Self::Image | Self::Second | Self::Character | Self::Request | Self::Search | Self::SearchedRequest => {
                false
            }
            Self::Input
            | Self::CachedInput
            | Self::CacheWrite
            | Self::CacheWrite1h
            | Self::AudioInput
            | Self::ImageInput
            | Self::Output
            | Self::Reasoning
            | Self::AudioOutput
            | Self::ImageOutput => true,
        }
    }

    /// What it is a part of, whose rate it has where it has none of its own.
    const fn whole(self) -> Option<Self> {
        match self {
            Self::CachedInput | Self::CacheWrite | Self::CacheWrite1h | Self::AudioInput | Self::ImageInput => {
                Some(Self::Input)
            }
            Self::Reasoning | Self::AudioOutput | Self::ImageOutput => Some(Self::Output),
            Self::Input
            | Self::Output
            | Self::Image
            | Self::Second
            | Self::Character
            | Self::Request
            | Self::Search
            | Self::SearchedRequest => None,
        }
    }

    /// How many of what is counted make one unit: seconds are counted in thousandths.
    pub(crate) const fn divisor(self) -> u32 {
        if matches!(self, Self::Second) { 1_000 } else { 1 }
    }
}

/// Rates by dimension, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates(Box<[(Dimension, Rate)]>);

impl Rates {
    /// Reads rates that are written as texts by the names of dimensions: dollars for a million tokens or characters, else for
    /// one picture, second, request or search; or a share of the input's rate, `40%`, which is the one beside it, or else the
    /// usual one.
    ///
    /// # Errors
    /// Which is wrong, and what is wrong with it.
    pub fn read<'a>(written: &[(&'a str, &'a str)], usual: &Rates) -> Result<Self, String> {
        let absolute = |dimension: Dimension, text: &str| {
            let rate = if dimension.is_per_million() { Rate::per_million(text) } else { Rate::per_unit(text) };
            rate.map_err(|error| format!("the price of `{}` {error}", dimension.name()))
        };
        let input = match written.iter().find(|(name, _)| *name == Dimension::Input.name()) {
            Some((_, text)) => Some(absolute(Dimension::Input, text)?),
            None => usual.get(Dimension::Input),
        };
        let one = |(name, text): &(&str, &str)| {
            let dimension = Dimension::from_name(name).ok_or_else(|| {
                let shown: String = name.chars().take(40).flat_map(char::escape_default).collect();
                format!("nothing is billed by `{shown}`")
            })?;
            if !text.ends_with('%') {
                return Ok((dimension, absolute(dimension, text)?));
            }
            let input = input.ok_or_else(|| format!("`{name}` is a share, and there is no `input`"))?;
            let share = input.percent(text).map_err(|error| format!("the share of `{name}` {error}"))?;
            Ok((dimension, share))
        };
        written.iter().map(one).collect()
    }

    /// The rate of a dimension, if it has one of its own.
    pub fn get(&self, dimension: Dimension) -> Option<Rate> {
        self.0.iter().find(|(own, _)| *own == dimension).map(|(_, rate)| *rate)
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Dimension, Rate)> + '_ {
        self.0.iter().copied()
    }
}

/// Of two for the same dimension the later one holds.
impl FromIterator<(Dimension, Rate)> for Rates {
    fn from_iter<I: IntoIterator<Item = (Dimension, Rate)>>(rates: I) -> Self {
        let mut kept: Vec<(Dimension, Rate)> = Vec::new();
        for (dimension, rate) in rates {
            match kept.iter_mut().find(|(own, _)| *own == dimension) {
                Some(known) => known.1 = rate,
                None => kept.push((dimension, rate)),
            }
        }
        kept.sort_unstable_by_key(|(dimension, _)| *dimension);
        Self(kept.into_boxed_slice())
    }
}

/// What a model costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Price {
    /// The usual rates.
    pub rates: Rates,
    /// Rates that take the place of the usual ones.
    pub variants: Box<[Variant]>,
}

/// Rates that take the place of the usual ones for some requests. What they leave out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variant {
    /// For requests with more prompt tokens than this: the whole of such a request is billed so.
    pub above_tokens: u64,
    /// For pictures and films of more points than this.
    pub above_pixels: u32,
    /// For this service.
    pub tier: Option<ServiceTier>,
    /// At these times only; always if empty.
    pub windows: Box<[Window]>,
    /// The rates.
    pub rates: Rates,
}

/// A time of the week, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// A bit for each day, Monday's the lowest.
    pub days: u8,
    /// The first minute of the day.
    pub from_minute: u16,
    /// The minute at which it ends.
    pub to_minute: u16,
}

impl Window {
    fn holds(self, day: u8, minute: u16) -> bool {
        self.days & (1 << day) != 0 && (self.from_minute..self.to_minute).contains(&minute)
    }
}

impl Price {
    /// A price of these rates alone.
    pub fn flat(rates: impl IntoIterator<Item = (Dimension, Rate)>) -> Self {
        Self { rates: rates.into_iter().collect(), variants: Box::default() }
    }

    /// The same price with some rates replaced. What is left out keeps its proportion: where the input costs half as much,
    /// so does cached input, and a long or hurried request.
    #[must_use]
    pub fn with(&self, rates: &Rates) -> Self {
        let in_proportion = |dimension: Dimension, rate: Rate| {
            let replaced = |one: Dimension| Some((rates.get(one)?, self.rates.get(one)?));
            match replaced(dimension).or_else(|| dimension.whole().and_then(replaced)) {
                Some((new, old)) if old.0 > 0 => scaled(rate, new, old),
                _ => rate,
            }
        };
        let all =
            |own: &Rates| own.iter().map(|(dimension, rate)| (dimension, in_proportion(dimension, rate))).collect();
        let usual: Rates = all(&self.rates);
        Self {
            rates: usual.iter().chain(rates.iter()).collect(),
            variants: self.variants.iter().map(|one| Variant { rates: all(&one.rates), ..one.clone() }).collect(),
        }
    }

    /// The same price with every rate at so many hundredths.
    #[must_use]
    pub fn hundredths(&self, percent: u16) -> Self {
        let all = |own: &Rates| own.iter().map(|(dimension, rate)| (dimension, rate.hundredths(percent))).collect();
        let variants = self.variants.iter().map(|one| Variant { rates: all(&one.rates), ..one.clone() });
        Self { rates: all(&self.rates), variants: variants.collect() }
    }

    /// Whether nothing is known of it.
    pub fn is_unknown(&self) -> bool {
        self.rates.0.is_empty()
    }

    pub(crate) fn has_rate(&self, dimension: Dimension) -> bool {
        self.rates.get(dimension).is_some()
    }

    pub(crate) fn own_rate(&self, dimension: Dimension) -> Option<Rate> {
        self.rates.get(dimension)
    }

    pub(crate) fn bills_tokens(&self) -> bool {
        self.rates.iter().any(|(dimension, _)| dimension.is_token())
    }

    /// The rates of a request.
    pub(crate) fn rates<'a>(&'a self, usage: &Usage, at: SystemTime) -> Applying<'a> {
        let mut applying = Applying { price: self, chosen: [None; 3] };
        if self.variants.is_empty() {
            return applying;
        }
        let (day, minute) = day_and_minute(at);
        let fits = |variant: &Variant| {
            (variant.above_tokens == 0 || usage.input_tokens > variant.above_tokens)
                && (variant.above_pixels == 0 || usage.pixels > variant.above_pixels)
                && (variant.windows.is_empty() || variant.windows.iter().any(|window| window.holds(day, minute)))
        };
        let longest = |tier: Option<ServiceTier>| {
            let fitting = self.variants.iter().filter(|variant| variant.tier == tier && fits(variant));
            fitting.max_by_key(|variant| (variant.above_tokens, variant.above_pixels, !variant.windows.is_empty()))
        };
        let of_service = usage.service_tier.and_then(|tier| longest(Some(tier)));
        let usual = longest(None);
        let service_base = usage.service_tier.and_then(|tier| {
            let is_base = |variant: &&Variant| variant.above_tokens == 0 && variant.above_pixels == 0;
            self.variants.iter().filter(is_base).find(|variant| variant.tier == Some(tier))
        });
        applying.chosen = match (of_service, usual) {
            // A service that has no rates for long requests is billed for those as the usual one is.
            (Some(own), Some(usual)) if own.above_tokens < usual.above_tokens => [Some(usual), Some(own), None],
            (own, usual) => [own, service_base, usual],
        };
        applying
    }
}

/// The rates that apply to a request.
pub(crate) struct Applying<'a> {
    price: &'a Price,
    /// Looked at in this order, before the usual rates.
    chosen: [Option<&'a Variant>; 3],
}

impl Applying<'_> {
    /// The rate of a dimension, or of what it is a part of.
    pub(crate) fn rate(&self, dimension: Dimension) -> Option<Rate> {
        if let Some(rate) = self.own(dimension) {
            return Some(rate);
        }
        // Who bills writing by the time it is kept has no rate for an hour that could be guessed.
        if dimension == Dimension::CacheWrite1h && self.own(Dimension::CacheWrite).is_some() {
            return None;
        }
        dimension.whole().and_then(|whole| self.own(whole))
    }

    fn own(&self, dimension: Dimension) -> Option<Rate> {
        let chosen = self.chosen.iter().flatten().find_map(|variant| variant.rates.get(dimension));
        chosen.or_else(|| self.price.rates.get(dimension))
    }
}

/// `rate * new / old`, rounded half up; the largest rate where that is more.
fn scaled(rate: Rate, new: Rate, old: Rate) -> Rate {
    let (product, divisor) = (i128::from(rate.0) * i128::from(new.0), i128::from(old.0).max(1));
    Rate(i64::try_from((product + divisor / 2) / divisor).unwrap_or(i64::MAX))
}

/// The day of the week, Monday's is 0, and the minute of the day, in UTC.
fn day_and_minute(at: SystemTime) -> (u8, u16) {
    let minutes = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 60);
    // 1 January 1970 was a Thursday.
    let day = (minutes / 1_440 + 3) % 7;
    (u8::try_from(day).unwrap_or(0), u16::try_from(minutes % 1_440).unwrap_or(0))
}
