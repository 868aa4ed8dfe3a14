use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::price::{Rates, Variant, Window};

fn rates(rates: &[(Dimension, &str)]) -> Rates {
    let rate = |dimension: Dimension, text: &str| match dimension.is_per_million() {
        true => Rate::per_million(text).unwrap(),
        false => Rate::per_unit(text).unwrap(),
    };
    rates.iter().map(|(dimension, text)| (*dimension, rate(*dimension, text))).collect()
}

fn price(own: &[(Dimension, &str)]) -> Price {
    Price { rates: rates(own), variants: Box::default() }
}

fn dollars(usage: &Usage, price: &Price) -> String {
    let cost = Cost::of(usage, price, UNIX_EPOCH);
    match cost.total() {
        Some(total) => total.to_string(),
        None => format!("unknown: {}", cost.unpriced().names().collect::<Vec<_>>().join(" ")),
    }
}

fn claude() -> Price {
    price(&[
        (Dimension::Input, "3"),
        (Dimension::CachedInput, "0.3"),
        (Dimension::CacheWrite, "3.75"),
        (Dimension::CacheWrite1h, "6"),
        (Dimension::Output, "15"),
    ])
}

#[test]
fn parts_of_a_whole_are_billed_once() {
    let usage = Usage {
        input_tokens: 1_000,
        cached_input_tokens: 400,
        cache_write_tokens: 300,
        cache_write_1h_tokens: 100,
        output_tokens: 500,
        reasoning_tokens: 200,
        ..Usage::default()
    };
    // 300 at 3, 400 at 0.3, 200 at 3.75, 100 at 6, 500 at 15 dollars for a million
    assert_eq!(dollars(&usage, &claude()), "0.00987");
    let cost = Cost::of(&usage, &claude(), UNIX_EPOCH);
    let components: Vec<_> = cost.components().map(|(dimension, amount)| (dimension.name(), amount.0)).collect();
    let expected = [
        ("input", 900_000),
        ("cached_input", 120_000),
        ("cache_write", 750_000),
        ("cache_write_1h", 600_000),
        ("output", 4_500_000),
        ("reasoning", 3_000_000),
    ];
    assert_eq!(components, expected);
}

#[test]
fn parts_that_are_more_than_the_whole_are_cut() {
    let usage = Usage { input_tokens: 10, cached_input_tokens: 100, cache_write_tokens: 100, ..Usage::default() };
    assert_eq!(dollars(&usage, &claude()), "0.000003");
}

#[test]
fn what_has_no_price_makes_the_total_unknown_and_what_is_free_does_not() {
    let usage = Usage { input_tokens: 10, output_tokens: 1, searches: 2, ..Usage::default() };
    assert_eq!(dollars(&usage, &price(&[(Dimension::Input, "1")])), "unknown: output search");
    assert_eq!(dollars(&usage, &Price::default()), "unknown: input output search");
    let free = price(&[(Dimension::Input, "0"), (Dimension::Output, "0"), (Dimension::Search, "0")]);
    assert_eq!(dollars(&usage, &free), "0");
    let priority = Usage { service_tier: Some(ServiceTier::Other), ..Usage::default() };
    assert_eq!(dollars(&priority, &free), "unknown: service_tier");
}

#[test]
fn writing_for_an_hour_is_not_billed_as_writing_for_minutes() {
    let usage = Usage { input_tokens: 10, cache_write_tokens: 10, cache_write_1h_tokens: 10, ..Usage::default() };
    let minutes = price(&[(Dimension::Input, "1"), (Dimension::CacheWrite, "1.25")]);
    assert_eq!(dollars(&usage, &minutes), "unknown: cache_write_1h");
    assert_eq!(dollars(&usage, &price(&[(Dimension::Input, "1")])), "0.00001");
}

#[test]
fn a_long_request_is_billed_at_its_price_as_a_whole() {
    let long = Variant {
        above_tokens: 200_000,
        rates: rates(&[(Dimension::Input, "2.5"), (Dimension::Output, "15")]),
        ..Variant::default()
    };
    let gemini = Price {
        variants: Box::new([long]),
        ..price(&[(Dimension::Input, "1.25"), (Dimension::CachedInput, "0.125"), (Dimension::Output, "10")])
    };
    let of = |input_tokens| dollars(&Usage { input_tokens, output_tokens: 1_000, ..Usage::default() }, &gemini);
    assert_eq!(of(200_000), "0.26");
    assert_eq!(of(200_001), "0.5150025");
}

#[test]
fn a_service_is_billed_at_its_own_price_and_otherwise_at_the_usual_one() {
    let variant = |tier, input| Variant { tier, rates: rates(&[(Dimension::Input, input)]), ..Variant::default() };
    let price = Price {
        variants: Box::new([
            variant(Some(ServiceTier::Flex), "0.5"),
            variant(Some(ServiceTier::Priority), "2"),
            Variant { above_tokens: 100, ..variant(None, "3") },
        ]),
        ..price(&[(Dimension::Input, "1")])
    };
    let of = |service_tier, input_tokens| dollars(&Usage { service_tier, input_tokens, ..Usage::default() }, &price);
    assert_eq!(of(None, 100), "0.0001");
    assert_eq!(of(Some(ServiceTier::Flex), 100), "0.00005");
    assert_eq!(of(Some(ServiceTier::Priority), 100), "0.0002");
    assert_eq!(of(Some(ServiceTier::Batch), 100), "0.0001");
    assert_eq!(of(None, 1_000), "0.003");
    assert_eq!(of(Some(ServiceTier::Flex), 1_000), "0.003");
}

#[test]
fn cheaper_hours_are_those_of_the_clock_in_utc() {
    let window = Window { days: 0b001_1111, from_minute: 10 * 60, to_minute: 24 * 60 };
    let cheap = Variant { windows: Box::new([window]), rates: rates(&[(Dimension::Input, "1")]), ..Variant::default() };
    let price = Price { variants: Box::new([cheap]), ..price(&[(Dimension::Input, "2")]) };
    let usage = Usage { input_tokens: 1_000_000, ..Usage::default() };
    let day = Duration::from_secs(86_400);
    let hour = Duration::from_secs(3_600);
    // 1 January 1970 was a Thursday; two days later is a Saturday.
    for (at, total) in
        [(hour * 9, 2), (hour * 10, 1), (hour * 23, 1), (day * 2 + hour * 12, 2), (day * 4 + hour * 12, 1)]
    {
        assert_eq!(
            Cost::of(&usage, &price, UNIX_EPOCH + at).total(),
            Some(Nanodollars(total * 1_000_000_000)),
            "{at:?}"
        );
    }
}

#[test]
fn seconds_pictures_and_characters_are_billed_by_the_piece() {
    let whisper = price(&[(Dimension::Second, "0.0001")]);
    assert_eq!(dollars(&Usage { media_ms: 90_500, ..Usage::default() }, &whisper), "0.00905");
    // The seconds were not reported: the price of what was not counted is not zero.
    assert_eq!(dollars(&Usage::default(), &whisper), "unknown: second");
    assert_eq!(dollars(&Usage { input_tokens: 5, ..Usage::default() }, &whisper), "unknown: input");
    let picture = price(&[(Dimension::Image, "0.04")]);
    assert_eq!(dollars(&Usage { images: 2, input_tokens: 9, ..Usage::default() }, &picture), "0.08");
    let by_tokens = price(&[(Dimension::Input, "5"), (Dimension::ImageOutput, "40")]);
    let usage =
        Usage { images: 1, input_tokens: 100, output_tokens: 1_000, image_output_tokens: 1_000, ..Usage::default() };
    assert_eq!(dollars(&usage, &by_tokens), "0.0405");
    let sonar = price(&[(Dimension::Input, "1"), (Dimension::Output, "1"), (Dimension::Request, "0.005")]);
    assert_eq!(dollars(&Usage { input_tokens: 1_000, ..Usage::default() }, &sonar), "0.006");
}

#[test]
fn a_reranker_is_billed_by_searches_or_by_tokens_whichever_has_a_price() {
    let usage = Usage { search_units: 2, input_tokens: 1_000, ..Usage::default() };
    assert_eq!(dollars(&usage, &price(&[(Dimension::Search, "0.002")])), "0.004");
    assert_eq!(dollars(&usage, &price(&[(Dimension::Input, "1")])), "0.001");
    assert_eq!(dollars(&usage, &Price::default()), "unknown: search");
}

#[test]
fn searches_are_billed_each_or_by_the_request_that_made_them() {
    let usage = Usage { searches: 3, ..Usage::default() };
    assert_eq!(dollars(&usage, &price(&[(Dimension::Search, "0.014")])), "0.042");
    let by_request = price(&[(Dimension::SearchedRequest, "0.035")]);
    assert_eq!(dollars(&usage, &by_request), "0.035");
    let quiet = price(&[(Dimension::Input, "1"), (Dimension::SearchedRequest, "0.035")]);
    assert_eq!(dollars(&Usage { input_tokens: 10, ..Usage::default() }, &quiet), "0.00001");
}

#[test]
fn what_was_not_reported_is_unknown_whatever_it_is_billed_by() {
    let spoken = Usage { characters: 100, ..Usage::default() };
    let by_tokens = price(&[(Dimension::Input, "0.6"), (Dimension::AudioOutput, "12")]);
    assert_eq!(dollars(&spoken, &by_tokens), "unknown: input audio_output");
    assert_eq!(dollars(&spoken, &price(&[(Dimension::Character, "15")])), "0.0015");
    assert_eq!(dollars(&Usage::default(), &Price::default()), "unknown: usage");
    assert_eq!(dollars(&Usage::default(), &price(&[(Dimension::Input, "0")])), "0");
}

#[test]
fn larger_films_have_their_own_price() {
    let large = Variant { above_pixels: 921_600, rates: rates(&[(Dimension::Second, "0.5")]), ..Variant::default() };
    let film = Price { variants: Box::new([large]), ..price(&[(Dimension::Second, "0.3")]) };
    let of = |pixels| dollars(&Usage { media_ms: 4_000, pixels, ..Usage::default() }, &film);
    assert_eq!((of(0), of(1_280 * 720), of(1_792 * 1_024)), ("1.2".to_owned(), "1.2".to_owned(), "2".to_owned()));
}

#[test]
fn what_the_provider_says_counts_where_something_has_no_price() {
    let usage = Usage { input_tokens: 1_000_000, ..Usage::default() };
    let whole = Nanodollars(1_020_000_000);
    let told = Some(whole);
    let known = Cost::of(&usage, &price(&[(Dimension::Input, "1")]), UNIX_EPOCH).or_told(told);
    assert_eq!((known.total(), known.source()), (Some(Nanodollars(1_000_000_000)), CostSource::Prices));
    assert!(known.is_contradicted() && known.told() == told);
    let unknown = Cost::of(&usage, &Price::default(), UNIX_EPOCH);
    assert_eq!(unknown.or_told(None), unknown);
    let taken = unknown.or_told(told);
    assert_eq!((taken.total(), taken.undivided(), taken.source()), (told, whole, CostSource::Provider));
    assert!(taken.unpriced().is_empty() && !taken.is_contradicted() && taken.components().next().is_none());
    let close = Cost::of(&usage, &price(&[(Dimension::Input, "1.01")]), UNIX_EPOCH).or_told(told);
    assert!(!close.is_contradicted());
}

#[test]
fn a_region_costs_so_many_hundredths_of_every_rate() {
    let long = Variant { above_tokens: 1, rates: rates(&[(Dimension::Input, "2")]), ..Variant::default() };
    let price = Price { variants: Box::new([long]), ..claude() }.hundredths(110);
    assert_eq!(price.rates.get(Dimension::CachedInput), Rate::per_million("0.33").ok());
    assert_eq!(price.variants[0].rates.get(Dimension::Input), Rate::per_million("2.2").ok());
}

#[test]
fn more_money_than_there_is_is_unknown() {
    let usage = Usage { input_tokens: u64::MAX, output_tokens: u64::MAX, ..Usage::default() };
    assert_eq!(dollars(&usage, &claude()), "unknown: input output");
    let large = Rate(9_000_000_000_000_000);
    let dear = Price::flat([(Dimension::Input, large), (Dimension::Output, large)]);
    let usage = Usage { input_tokens: 1_000_000_000, output_tokens: 1_000_000_000, ..Usage::default() };
    assert_eq!(dollars(&usage, &dear), "unknown: sum");
}

#[test]
fn what_an_override_leaves_out_keeps_its_proportion() {
    let batch =
        Variant { tier: Some(ServiceTier::Batch), rates: rates(&[(Dimension::Input, "1.5")]), ..Variant::default() };
    let listed = Price { variants: Box::new([batch]), ..claude() };
    let own = listed.with(&rates(&[(Dimension::Input, "1"), (Dimension::Output, "2")]));
    let expected = rates(&[
        (Dimension::Input, "1"),
        (Dimension::CachedInput, "0.1"),
        (Dimension::CacheWrite, "1.25"),
        (Dimension::CacheWrite1h, "2"),
        (Dimension::Output, "2"),
    ]);
    assert_eq!(own.rates, expected);
    assert_eq!(own.variants[0].rates, rates(&[(Dimension::Input, "0.5")]));
}

/// Numbers that look random and are the same in each run.
fn numbers() -> impl FnMut(u64) -> u64 {
    let mut state = 42_u64;
    move |max| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % max
    }
}

#[test]
fn components_add_up_and_more_usage_never_costs_less() {
    let mut number = numbers();
    for _ in 0..20_000 {
        let rates = Dimension::ALL.map(|dimension| (dimension, Rate(number(100_000_000_000) as i64)));
        let price = Price::flat(rates);
        let usage = Usage {
            input_tokens: number(1_000_000),
            output_tokens: number(100_000),
            cached_input_tokens: number(1_000_000),
            cache_write_tokens: number(10_000),
            reasoning_tokens: number(100_000),
            searches: number(10),
            ..Usage::default()
        };
        let total = |usage: &Usage| {
            let cost = Cost::of(usage, &price, UNIX_EPOCH);
            let sum: i64 = cost.components().map(|(_, amount)| amount.0).sum();
            assert_eq!(cost.total(), Some(Nanodollars(sum)));
            sum
        };
        let before = total(&usage);
        // More text, that is: parts grow at the cost of the rest, and may be cheaper.
        assert!(total(&Usage { input_tokens: usage.input_tokens.max(1_010_000) + 1, ..usage }) > 0);
        assert!(total(&Usage { searches: usage.searches + 1, ..usage }) >= before);
        let (more_in, more_out) = (usage.input_tokens + 1_010_000, usage.output_tokens + 200_000);
        let longer = Usage { input_tokens: more_in, output_tokens: more_out, ..usage };
        let longest = Usage { input_tokens: more_in + number(1_000), output_tokens: more_out + 1, ..usage };
        assert!(total(&longest) >= total(&longer));
    }
}
