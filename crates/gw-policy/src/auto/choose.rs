//! Which of several models comes first for a conversation.
//!
//! What a model is known to be unable to do leaves it out. Of the others those come first whose tier will do; then those
//! of which no tier is known, since unknown is neither good nor bad; then those that are known to be lesser. Within each of
//! the three a model that is a tier better is worth so many doublings of the price, by the class of the conversation and the
//! trade-off; models of unknown price come after those that have one, unless the price does not count.

use std::fmt;

use smallvec::SmallVec;

use super::{Auto, Need, Tier, Tradeoff};

/// What a model can do, as far as conversations ask for it; or what one asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Can {
    /// Calls tools.
    pub tools: bool,
    /// Keeps to a schema.
    pub schema: bool,
    /// Sees pictures.
    pub images: bool,
    /// Reads documents.
    pub documents: bool,
    /// Hears.
    pub audio: bool,
    /// Sees films.
    pub films: bool,
}

impl Can {
    /// What of it there is, in words.
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            (self.tools, "tools"),
            (self.schema, "schema"),
            (self.images, "images"),
            (self.documents, "documents"),
            (self.audio, "audio"),
            (self.films, "films"),
        ];
        all.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect()
    }
}

/// What a model is known to lack for a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// It is for something else than conversations.
    Chat,
    /// It is not known to complete texts.
    Completion,
    /// It does not call tools.
    Tools,
    /// It does not keep to a schema.
    Schema,
    /// It does not see pictures.
    Images,
    /// It does not read documents.
    Documents,
    /// It does not hear.
    Audio,
    /// It does not see films.
    Films,
    /// Its answers are shorter than the request allows.
    Output,
    /// The conversation is longer than its context.
    Context,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chat => "its model does not hold conversations",
            Self::Completion => "its model is not known to complete texts",
            Self::Tools => "its model does not call tools",
            Self::Schema => "its model does not keep to a schema",
            Self::Images => "its model does not see pictures",
            Self::Documents => "its model does not read documents",
            Self::Audio => "its model does not hear",
            Self::Films => "its model does not see films",
            Self::Output => "its model does not write answers as long as the request allows",
            Self::Context => "the conversation is too long for its model",
        })
    }
}

/// What is known of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Whether it holds conversations; `None` if that is not known.
    pub chats: Option<bool>,
    /// Whether it is known to complete texts.
    pub completes: bool,
    /// How able it is.
    pub tier: Option<Tier>,
    /// What a million tokens of a usual mix cost, in nanodollars.
    pub price: Option<i64>,
    /// Tokens that prompt and answer may have.
    pub context_tokens: Option<u64>,
    /// Tokens that an answer may have.
    pub output_tokens_max: Option<u64>,
    /// What it can do.
    pub can: Option<Can>,
}

impl Abilities {
    /// What is true of both: of several that may answer, the least is certain.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |one: Can, two: Can| Can {
            tools: one.tools && two.tools,
            schema: one.schema && two.schema,
            images: one.images && two.images,
            documents: one.documents && two.documents,
            audio: one.audio && two.audio,
            films: one.films && two.films,
        };
        let least = |one: Option<u64>, two: Option<u64>| one.into_iter().chain(two).min();
        Self {
            chats: self.chats.into_iter().chain(other.chats).min(),
            completes: self.completes && other.completes,
            tier: self.tier.zip(other.tier).map(|(one, two)| one.min(two)),
            price: self.price.zip(other.price).map(|(one, two)| one.max(two)),
            context_tokens: least(self.context_tokens, other.context_tokens),
            output_tokens_max: least(self.output_tokens_max, other.output_tokens_max),
            can: match (self.can, other.can) {
                (Some(one), Some(two)) => Some(both(one, two)),
                (one, two) => one.or(two),
            },
        }
    }

    /// What the model is known to lack for a conversation.
    pub fn lacks(&self, need: &Need) -> Option<Lack> {
        match need.completes {
            true if !self.completes => return Some(Lack::Completion),
            false if self.chats == Some(false) => return Some(Lack::Chat),
            _ => {}
        }
        if let Some(can) = self.can {
            let lacking = [
                (need.can.tools && !can.tools, Lack::Tools),
                (need.can.images && !can.images, Lack::Images),
                (need.can.documents && !can.documents, Lack::Documents),
                (need.can.audio && !can.audio, Lack::Audio),
                (need.can.films && !can.films, Lack::Films),
                (need.can.schema && !can.schema, Lack::Schema),
            ];
            if let Some((_, lack)) = lacking.into_iter().find(|(lacks, _)| *lacks) {
                return Some(lack);
            }
        }
        let is_below = |limit: Option<u64>, wanted: u64| limit.is_some_and(|limit| limit < wanted);
        if is_below(self.output_tokens_max, need.answer_tokens.unwrap_or_default()) {
            return Some(Lack::Output);
        }
        let whole = need.tokens.saturating_add(need.answer_tokens.unwrap_or_default());
        is_below(self.context_tokens, whole).then_some(Lack::Context)
    }
}

/// Whether a tier will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Adequate,
    Unknown,
    /// By so many tiers too low.
    Lesser(u8),
}

/// What is compared: the fit, whether the price is unknown, two sums, and the position.
type Key = (Fit, bool, f64, f64, usize);

/// The positions of models in the order in which they suit a conversation. Those that lack something are not among them.
/// What is equal stays as it stands.
pub fn order(auto: &Auto, need: &Need, models: &[Abilities]) -> SmallVec<[usize; 16]> {
    let able = models.iter().enumerate().filter(|(_, model)| model.lacks(need).is_none());
    let mut keyed: SmallVec<[Key; 16]> = able.map(|(index, model)| key(auto, need, model, index)).collect();
    keyed.sort_by(|one, two| {
        let first = (one.0, one.1).cmp(&(two.0, two.1));
        first.then(one.2.total_cmp(&two.2)).then(one.3.total_cmp(&two.3)).then(one.4.cmp(&two.4))
    });
    keyed.into_iter().map(|(.., index)| index).collect()
}

/// What is least comes first.
fn key(auto: &Auto, need: &Need, model: &Abilities, index: usize) -> Key {
    let wanted = need.tier().max(auto.tier_min);
    let fit = match model.tier {
        None => Fit::Unknown,
        Some(tier) if tier >= wanted => Fit::Adequate,
        Some(tier) => Fit::Lesser(wanted as u8 - tier as u8),
    };
    let quality = need.class.worth() * f64::from(model.tier.unwrap_or_default() as u8);
    // What costs nothing is as cheap as the smallest price that there is.
    let price = model.price.map_or(f64::MAX, |price| (price.max(1) as f64).log2());
    let (first, second) = match auto.tradeoff {
        // Of the best the one that was written first.
        Tradeoff::MIN => return (fit, false, -quality, 0.0, index),
        Tradeoff::MAX => (price, -quality),
        Tradeoff(number) => {
            let thrift = f64::from(number) / f64::from(Tradeoff::MAX.0 - number);
            (thrift * price - quality, price)
        }
    };
    (fit, model.price.is_none(), first, second, index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auto::Class;

    const DOLLAR: i64 = 1_000_000_000;

    fn model(tier: Option<Tier>, dollars: Option<i64>) -> Abilities {
        Abilities { tier, price: dollars.map(|dollars| dollars * DOLLAR), ..Abilities::default() }
    }

    fn auto(tradeoff: u8) -> Auto {
        Auto { tradeoff: Tradeoff(tradeoff), ..Auto::default() }
    }

    fn need(class: Class) -> Need {
        Need { class, ..Need::default() }
    }

    /// A small, a standard and a flagship model, each about five times the price of the one before.
    fn usual() -> [Abilities; 3] {
        [model(Some(Tier::Flagship), Some(25)), model(Some(Tier::Standard), Some(5)), model(Some(Tier::Small), Some(1))]
    }

    fn first(tradeoff: u8, class: Class) -> Tier {
        let models = usual();
        models[order(&auto(tradeoff), &need(class), &models)[0]].tier.unwrap()
    }

    #[test]
    fn the_class_and_the_trade_decide_together() {
        for (tradeoff, talk, code, reasoning) in [
            (0, Tier::Flagship, Tier::Flagship, Tier::Flagship),
            (1, Tier::Flagship, Tier::Flagship, Tier::Flagship),
            (3, Tier::Small, Tier::Flagship, Tier::Flagship),
            (5, Tier::Small, Tier::Flagship, Tier::Flagship),
            (7, Tier::Small, Tier::Standard, Tier::Flagship),
            (10, Tier::Small, Tier::Standard, Tier::Flagship),
        ] {
            let found = (first(tradeoff, Class::Talk), first(tradeoff, Class::Code), first(tradeoff, Class::Reasoning));
            assert_eq!(found, (talk, code, reasoning), "{tradeoff}");
        }
    }

    #[test]
    fn what_is_unknown_stands_between_what_will_do_and_what_will_not() {
        let models = [
            model(Some(Tier::Small), Some(1)),
            model(None, Some(1)),
            model(Some(Tier::Standard), None),
            model(Some(Tier::Flagship), Some(50)),
        ];
        assert_eq!(order(&auto(10), &need(Class::Code), &models).to_vec(), [3, 2, 1, 0]);
        assert_eq!(order(&auto(0), &need(Class::Code), &models).to_vec(), [3, 2, 1, 0]);
        let unpriced = [model(Some(Tier::Flagship), None), model(Some(Tier::Standard), Some(5))];
        assert_eq!(order(&auto(0), &need(Class::Code), &unpriced).to_vec(), [0, 1], "the price does not count");
        assert_eq!(order(&auto(1), &need(Class::Code), &unpriced).to_vec(), [1, 0]);
    }

    #[test]
    fn a_least_tier_holds_whatever_the_class() {
        let models = usual();
        let pareto = Auto { tradeoff: Tradeoff::MAX, tier_min: Tier::Standard, ..Auto::default() };
        assert_eq!(order(&pareto, &need(Class::Talk), &models).to_vec(), [1, 0, 2]);
    }

    #[test]
    fn who_lacks_something_is_left_out_and_who_is_unknown_is_not() {
        let can = |images| Some(Can { tools: true, images, ..Can::default() });
        let blind = Abilities { can: can(false), ..model(Some(Tier::Flagship), Some(1)) };
        let seeing = Abilities { can: can(true), ..model(Some(Tier::Standard), Some(9)) };
        let unknown = model(None, None);
        let wants = Need { can: Can { images: true, ..Can::default() }, ..need(Class::Vision) };
        assert_eq!(order(&auto(5), &wants, &[blind, unknown, seeing]).to_vec(), [2, 1]);
        assert_eq!(blind.lacks(&wants), Some(Lack::Images));
        let short = Abilities { context_tokens: Some(8_000), output_tokens_max: Some(4_000), ..seeing };
        let long = |tokens, answer_tokens| Need { tokens, answer_tokens, ..need(Class::Talk) };
        assert_eq!(short.lacks(&long(4_001, Some(4_000))), Some(Lack::Context));
        assert!(short.lacks(&long(4_000, Some(4_000))).is_none());
        assert!(short.lacks(&long(1, Some(4_001))).is_some());
        assert_eq!(seeing.and(blind).lacks(&wants), blind.lacks(&wants), "of several the least is certain");
    }

    #[test]
    fn who_is_for_something_else_holds_no_conversation_and_only_who_is_known_for_it_completes_texts() {
        let unknown = Abilities::default();
        let chats = Abilities { chats: Some(true), ..unknown };
        let completes = Abilities { chats: Some(false), completes: true, ..unknown };
        let embeds = Abilities { chats: Some(false), ..unknown };
        let lacks = |need: Need| [unknown, chats, completes, embeds].map(|model| model.lacks(&need));
        assert_eq!(lacks(need(Class::Talk)), [None, None, Some(Lack::Chat), Some(Lack::Chat)]);
        let none = Some(Lack::Completion);
        assert_eq!(lacks(Need { completes: true, ..need(Class::General) }), [none, none, None, none]);
        assert_eq!(chats.and(embeds).lacks(&need(Class::Talk)), Some(Lack::Chat));
    }

    fn any_model() -> impl Strategy<Value = Abilities> {
        let tier =
            prop_oneof![Just(None), Just(Some(Tier::Small)), Just(Some(Tier::Standard)), Just(Some(Tier::Flagship))];
        (tier, proptest::option::of(0_i64..100_000_000_000), any::<bool>()).prop_map(|(tier, price, sees)| Abilities {
            tier,
            price,
            can: Some(Can { images: sees, ..Can::default() }),
            ..Abilities::default()
        })
    }

    fn any_need() -> impl Strategy<Value = Need> {
        (0..Class::ALL.len(), any::<bool>()).prop_map(|(class, images)| Need {
            class: Class::ALL[class],
            can: Can { images, ..Can::default() },
            ..Need::default()
        })
    }

    proptest! {
        #[test]
        fn a_thriftier_trade_never_takes_a_dearer_model(
            models in proptest::collection::vec(any_model(), 1..12), need in any_need(), one in 0_u8..=10, two in 0_u8..=10,
        ) {
            let price = |tradeoff| models.get(*order(&auto(tradeoff), &need, &models).first()?)?.price;
            if let (Some(dearer), Some(cheaper)) = (price(one.min(two)), price(one.max(two))) {
                prop_assert!(cheaper <= dearer);
            }
        }

        #[test]
        fn whoever_is_chosen_lacks_nothing_and_everybody_able_is_there_once(
            models in proptest::collection::vec(any_model(), 0..12), need in any_need(), tradeoff in 0_u8..=10,
        ) {
            let mut order = order(&auto(tradeoff), &need, &models).to_vec();
            prop_assert!(order.iter().all(|index| models[*index].lacks(&need).is_none()));
            order.sort_unstable();
            let able: Vec<_> = (0..models.len()).filter(|index| models[*index].lacks(&need).is_none()).collect();
            prop_assert_eq!(order, able);
        }

        #[test]
        fn no_model_that_will_do_stands_behind_one_that_will_not(
            models in proptest::collection::vec(any_model(), 1..12), need in any_need(), tradeoff in 0_u8..=10,
        ) {
            let order = order(&auto(tradeoff), &need, &models);
            let does = |index: &usize| models[*index].tier.is_some_and(|tier| tier >= need.tier());
            prop_assert!(order.iter().map(does).is_sorted_by(|one, two| one >= two));
        }
    }
}
