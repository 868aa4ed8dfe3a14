//! In which order the members of a group are tried.

use std::fmt;
use std::time::Duration;

use smallvec::SmallVec;

use crate::dice::Dice;
use crate::measure::Measured;

/// How often a member of which nothing has ever been heard is tried first.
const EXPLORED_NEW: f64 = 0.5;
/// How often one of which nothing has been heard for long is.
const EXPLORED_STALE: f64 = 0.1;
/// How often any other is, so that a change is noticed where requests are many.
const EXPLORED_ALWAYS: f64 = 0.01;

/// How a group's members are ordered, as configurations name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Balance {
    /// As they stand.
    Priority,
    /// Each in turn.
    RoundRobin,
    /// By chance, by their weights.
    Weighted,
    /// The one whose answers begin soonest.
    LeastLatency,
    /// The cheapest.
    LeastCost,
    /// The one that writes fastest.
    Throughput,
    /// The one whose calls have gone wrong least often lately.
    Reliable,
    /// The one that serves the fewest calls.
    LeastBusy,
    /// Of two taken by chance, the one that is quicker for the calls it has (Mitzenmacher, 2001).
    PowerOfTwo,
}

/// A member as balancing sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its share, against the others'.
    pub weight: f64,
    /// What has been measured of it.
    pub measured: Measured,
}

/// Members in the order in which they are tried, by their positions, and why the first is the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Positions.
    pub members: SmallVec<[usize; 8]>,
    /// Why.
    pub why: Why,
}

/// Why a member comes first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Why {
    /// It stands first.
    First,
    /// It is its turn.
    Turn,
    /// It was drawn, with this share of the weights.
    Drawn(f64),
    /// Its answers begin soonest: after so long.
    Fastest(Duration),
    /// It is the cheapest: nanodollars for a million tokens.
    Cheapest(i64),
    /// It writes most tokens in a second.
    MostTokens(f64),
    /// This share of its calls went wrong lately.
    FewestFaults(f64),
    /// It serves this many calls.
    FewestCalls(u32),
    /// It is tried now and then, so that what is known of it is recent.
    Explored,
    /// Nothing is known of any, so they are tried as they stand.
    NothingKnown,
}

impl Balance {
    /// Whether it goes by what has been measured of the members.
    pub const fn measures(self) -> bool {
        match self {
            Self::LeastLatency | Self::Throughput | Self::Reliable | Self::LeastBusy | Self::PowerOfTwo => true,
            Self::Priority | Self::RoundRobin | Self::Weighted | Self::LeastCost => false,
        }
    }

    /// Orders the members. `turn` counts the requests to this group.
    pub fn order(self, members: &[Candidate], turn: u64, now: Duration, dice: &mut Dice) -> Order {
        match self {
            Self::Priority => as_they_stand(members, Why::First),
            Self::RoundRobin => in_turn(members, turn),
            Self::Weighted => drawn(members, dice),
            Self::LeastLatency => {
                let mut order =
                    by(members, |member| member.measured.latency.map(|latency| latency.as_secs_f64()), fastest);
                explore(&mut order, members, now, dice);
                order
            }
            Self::LeastCost => by(
                members,
                |member| member.measured.price.map(|price| price as f64),
                |member| member.measured.price.map_or(Why::NothingKnown, Why::Cheapest),
            ),
            Self::Throughput => {
                let most = |member: &Candidate| member.measured.tokens_per_second.map(|tokens| -tokens);
                let mut order = by(members, most, |member| {
                    member.measured.tokens_per_second.map_or(Why::NothingKnown, Why::MostTokens)
                });
                explore(&mut order, members, now, dice);
                order
            }
            Self::Reliable => {
                let mut order = by(
                    members,
                    |member| member.measured.faults,
                    |member| member.measured.faults.map_or(Why::NothingKnown, Why::FewestFaults),
                );
                explore(&mut order, members, now, dice);
                order
            }
            Self::LeastBusy => by(
                members,
                |member| Some(f64::from(member.measured.in_flight)),
                |member| Why::FewestCalls(member.measured.in_flight),
            ),
            Self::PowerOfTwo => of_two(members, dice),
        }
    }
}

fn as_they_stand(members: &[Candidate], why: Why) -> Order {
    Order { members: (0..members.len()).collect(), why }
}

/// The next one first, and the others behind it in their circle.
fn in_turn(members: &[Candidate], turn: u64) -> Order {
    let count = members.len().max(1);
    let first = (turn % count as u64) as usize;
    Order { members: (0..members.len()).map(|step| (first + step) % count).collect(), why: Why::Turn }
}

/// Each place is drawn among those that are left. Members of weight 0 come last, as they stand.
fn drawn(members: &[Candidate], dice: &mut Dice) -> Order {
    let weight = |index: usize| members.get(index).map_or(0.0, |member| member.weight.max(0.0));
    let total: f64 = (0..members.len()).map(weight).sum();
    let mut left: SmallVec<[usize; 8]> = (0..members.len()).collect();
    let mut order = SmallVec::new();
    while !left.is_empty() {
        let sum: f64 = left.iter().map(|index| weight(*index)).sum();
        let mut point = dice.share() * sum;
        let found = left.iter().position(|index| {
            point -= weight(*index);
            point < 0.0
        });
        order.push(left.remove(found.unwrap_or(0)));
    }
    let share = order.first().map_or(0.0, |first| if total > 0.0 { weight(*first) / total } else { 0.0 });
    Order { members: order, why: Why::Drawn(share) }
}

/// The least first; those of which nothing is known behind, as they stand.
fn by(members: &[Candidate], key: impl Fn(&Candidate) -> Option<f64>, why: impl Fn(&Candidate) -> Why) -> Order {
    let mut keyed: SmallVec<[(f64, usize); 8]> = members
        .iter()
        .enumerate()
        .map(|(index, member)| (key(member).filter(|key| key.is_finite()).unwrap_or(f64::INFINITY), index))
        .collect();
    keyed.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    let why = match keyed.first() {
        Some((key, index)) if key.is_finite() => members.get(*index).map_or(Why::NothingKnown, why),
        Some(_) | None => Why::NothingKnown,
    };
    Order { members: keyed.into_iter().map(|(_, index)| index).collect(), why }
}

fn fastest(member: &Candidate) -> Why {
    member.measured.latency.map_or(Why::NothingKnown, Why::Fastest)
}

/// Now and then puts the member first of which nothing has been heard for longest.
fn explore(order: &mut Order, members: &[Candidate], now: Duration, dice: &mut Dice) {
    let measured =
        |place: &usize| order.members.get(*place).and_then(|index| members.get(*index)).map(|one| one.measured);
    let heard_at = |place: &usize| measured(place).and_then(|measured| measured.heard_at);
    let Some(place) = (1..order.members.len()).min_by_key(heard_at) else { return };
    let share = match measured(&place) {
        Some(Measured { heard_at: Some(at), stale_after, .. }) if now.saturating_sub(at) < stale_after => {
            EXPLORED_ALWAYS
        }
        Some(Measured { heard_at: Some(_), .. }) => EXPLORED_STALE,
        Some(Measured { heard_at: None, .. }) | None => EXPLORED_NEW,
    };
    if dice.share() < share {
        let index = order.members.remove(place);
        order.members.insert(0, index);
        order.why = Why::Explored;
    }
}

/// What a call more would cost a member: what it takes, for each call that it has.
fn load(member: &Candidate) -> f64 {
    let latency = member.measured.latency.map_or(0.001, |latency| latency.as_secs_f64().max(0.001));
    latency * (f64::from(member.measured.in_flight) + 1.0)
}

fn of_two(members: &[Candidate], dice: &mut Dice) -> Order {
    let mut order: SmallVec<[usize; 8]> = (0..members.len()).collect();
    for place in 0..order.len().saturating_sub(1) {
        let other = place + dice.below(order.len() - place);
        order.swap(place, other);
    }
    let load_at = |place: usize| order.get(place).and_then(|index| members.get(*index)).map_or(f64::MAX, load);
    if order.len() > 1 && load_at(1) < load_at(0) {
        order.swap(0, 1);
    }
    let calls = order.first().and_then(|index| members.get(*index)).map_or(0, |member| member.measured.in_flight);
    Order { members: order, why: Why::FewestCalls(calls) }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("it stands first"),
            Self::Turn => f.write_str("it is its turn"),
            Self::Drawn(share) => write!(f, "it was drawn, with {:.0} % of the weights", share * 100.0),
            Self::Fastest(latency) => write!(f, "its answers begin soonest, after {} ms", latency.as_millis()),
            Self::Cheapest(price) => write!(f, "it is the cheapest, at {price} nanodollars for a million tokens"),
            Self::MostTokens(tokens) => write!(f, "it writes fastest, {tokens:.0} tokens in a second"),
            Self::FewestFaults(share) => write!(f, "its calls go wrong least often, {:.1} % of them", share * 100.0),
            Self::FewestCalls(calls) => write!(f, "it serves {calls} calls"),
            Self::Explored => f.write_str("it is tried now and then, to know how it does"),
            Self::NothingKnown => f.write_str("nothing is known of any, so they are tried as they stand"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);

    fn weighing(weights: &[f64]) -> Vec<Candidate> {
        weights.iter().map(|weight| Candidate { weight: *weight, measured: Measured::default() }).collect()
    }

    fn taking(latencies_ms: &[Option<u64>]) -> Vec<Candidate> {
        let member = |latency: &Option<u64>| Candidate {
            weight: 1.0,
            measured: Measured {
                latency: latency.map(Duration::from_millis),
                heard_at: latency.map(|_| NOW),
                stale_after: Duration::from_secs(30),
                ..Measured::default()
            },
        };
        latencies_ms.iter().map(member).collect()
    }

    fn first(balance: Balance, members: &[Candidate], turn: u64, seed: u64) -> usize {
        balance.order(members, turn, NOW, &mut Dice::new(seed)).members[0]
    }

    /// Dice that explore nothing.
    fn unlucky() -> Dice {
        (0..).map(Dice::new).find(|dice| dice.clone().share() > EXPLORED_NEW).unwrap()
    }

    #[test]
    fn each_in_turn_means_each_as_often_as_the_others() {
        let members = weighing(&[1.0; 3]);
        let order = |turn| Balance::RoundRobin.order(&members, turn, NOW, &mut Dice::new(1)).members.to_vec();
        assert_eq!(
            [order(0), order(1), order(2), order(3)],
            [vec![0, 1, 2], vec![1, 2, 0], vec![2, 0, 1], vec![0, 1, 2]]
        );
    }

    #[test]
    fn weights_are_shares_and_need_not_add_up_to_one() {
        let members = weighing(&[1.0, 3.0, 0.0]);
        let mut counts = [0; 3];
        (0..10_000).for_each(|seed| counts[first(Balance::Weighted, &members, 0, seed)] += 1);
        assert!((2_300..2_700).contains(&counts[0]), "{counts:?}");
        assert_eq!(counts[2], 0, "a weight of 0 is never drawn first");
        assert_eq!(
            Balance::Weighted.order(&members, 0, NOW, &mut Dice::new(1)).members.len(),
            3,
            "but it is a fallback"
        );
    }

    #[test]
    fn weights_that_are_all_nothing_leave_the_members_as_they_stand() {
        assert_eq!(first(Balance::Weighted, &weighing(&[0.0, 0.0]), 0, 3), 0);
    }

    #[test]
    fn the_fastest_comes_first_and_the_unknown_last() {
        let members = taking(&[Some(500), None, Some(200)]);
        let order = Balance::LeastLatency.order(&members, 0, NOW, &mut unlucky());
        assert_eq!((order.members.to_vec(), order.why), (vec![2, 0, 1], Why::Fastest(Duration::from_millis(200))));
        let unknown = taking(&[None, None]);
        assert_eq!(Balance::LeastLatency.order(&unknown, 0, NOW, &mut unlucky()).why, Why::NothingKnown);
    }

    #[test]
    fn who_was_never_heard_of_is_tried_early_who_is_idle_now_and_then_and_everybody_sometimes() {
        let explored = |second: Measured| {
            let members = [taking(&[Some(200)])[0], Candidate { weight: 1.0, measured: second }];
            (0..10_000).filter(|seed| first(Balance::LeastLatency, &members, 0, *seed) == 1).count()
        };
        let slow = taking(&[Some(900)])[0].measured;
        let never = explored(Measured { latency: None, heard_at: None, ..slow });
        let idle = explored(Measured { heard_at: Some(NOW - slow.stale_after), ..slow });
        let failed = explored(Measured { latency: None, ..slow });
        assert!((4_700..5_300).contains(&never), "{never}");
        assert!((850..1_150).contains(&idle), "{idle}");
        assert!((50..150).contains(&explored(slow)), "{}", explored(slow));
        assert!((50..150).contains(&failed), "one that has just failed is not asked again at once: {failed}");
    }

    #[test]
    fn of_two_the_one_with_less_to_do_is_taken() {
        let member = |in_flight| Candidate {
            weight: 1.0,
            measured: Measured { in_flight, latency: Some(Duration::from_millis(100)), ..Measured::default() },
        };
        assert!((0..100).all(|seed| first(Balance::PowerOfTwo, &[member(9), member(2)], 0, seed) == 1));
        let three = [member(9), member(2), member(1)];
        assert!((0..100).all(|seed| first(Balance::PowerOfTwo, &three, 0, seed) != 0));
    }

    #[test]
    fn the_cheapest_known_price_wins_over_an_unknown_one() {
        let member = |price| Candidate { weight: 1.0, measured: Measured { price, ..Measured::default() } };
        assert_eq!(first(Balance::LeastCost, &[member(None), member(Some(7)), member(Some(3))], 0, 1), 2);
    }

    proptest! {
        #[test]
        fn every_order_holds_every_member_once(
            weights in proptest::collection::vec(0.0_f64..9.0, 0..12), seed: u64, turn: u64, which in 0_usize..9,
        ) {
            let all = [
                Balance::Priority, Balance::RoundRobin, Balance::Weighted, Balance::LeastLatency, Balance::LeastCost,
                Balance::Throughput, Balance::Reliable, Balance::LeastBusy, Balance::PowerOfTwo,
            ];
            let members = weighing(&weights);
            let mut order = all[which].order(&members, turn, NOW, &mut Dice::new(seed)).members.to_vec();
            order.sort_unstable();
            prop_assert_eq!(order, (0..weights.len()).collect::<Vec<_>>());
        }
    }
}
