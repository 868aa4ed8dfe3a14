//! Plans of small trees, as people draw them.

use std::borrow::Cow;
use std::collections::HashMap;

use proptest::prelude::{Strategy as Generator, any, prop, prop_assert, proptest};
use serde_json::{Value, json};

use super::*;
use crate::failure::Class;

type Tree = Node<&'static str>;

const FULL: Standing = Standing::Full(Duration::from_millis(600));

fn rests(seconds: u64) -> Standing {
    Standing::Resting(Duration::from_secs(seconds))
}

struct World {
    standings: HashMap<&'static str, Standing>,
    request: Value,
    turn: u64,
}

impl World {
    fn new() -> Self {
        Self { standings: HashMap::new(), request: json!({"metadata.user": "u1", "metadata.plan": "paid"}), turn: 0 }
    }

    fn with(mut self, target: &'static str, standing: Standing) -> Self {
        self.standings.insert(target, standing);
        self
    }
}

impl Facts for World {
    fn fact(&self, path: &str) -> Option<Cow<'_, Value>> {
        self.request.get(path).map(Cow::Borrowed)
    }
}

impl View<&'static str> for World {
    fn standing(&self, target: &&'static str) -> Standing {
        self.standings.get(target).copied().unwrap_or(Standing::In)
    }

    fn measured(&self, _: &&'static str) -> Measured {
        Measured::default()
    }

    fn turn(&self, _: usize) -> u64 {
        self.turn
    }

    fn facts(&self) -> &dyn Facts {
        self
    }

    fn now(&self) -> Duration {
        Duration::from_secs(1_000)
    }
}

/// Everybody whose name begins with `slow` is.
struct Paced(World);

impl View<&'static str> for Paced {
    fn standing(&self, target: &&'static str) -> Standing {
        self.0.standing(target)
    }

    fn measured(&self, target: &&'static str) -> Measured {
        self.0.measured(target)
    }

    fn meets(&self, target: &&'static str, _: &Preference) -> bool {
        !target.starts_with("slow")
    }

    fn turn(&self, group: usize) -> u64 {
        self.0.turn(group)
    }

    fn facts(&self) -> &dyn Facts {
        &self.0
    }

    fn now(&self) -> Duration {
        self.0.now()
    }
}

#[test]
fn who_is_slower_than_preferred_comes_behind_the_others_and_is_not_left_out() {
    let preferring = || Strategy::Preferring(Balance::Priority, Preference::default());
    let inner = |names: [&'static str; 2]| group(preferring(), Failures::ELSEWHERE, names.map(t).into());
    let tree = group(
        preferring(),
        Failures::ELSEWHERE,
        vec![inner(["slow-1", "slow-2"]), t("slow-3"), inner(["slow-4", "quick-1"]), t("quick-2")],
    );
    let plan = tree.plan(&Paced(World::new()), &mut Dice::new(1)).unwrap();
    let names: Vec<_> = plan.steps.iter().map(|step| step.target).collect();
    assert_eq!(names, ["quick-1", "slow-4", "quick-2", "slow-1", "slow-2", "slow-3"]);
    assert_eq!(plan.steps[0].why, Reason::Preferred);
    let all_slow = inner(["slow-1", "slow-2"]).plan(&Paced(World::new()), &mut Dice::new(1)).unwrap();
    assert_eq!(all_slow.steps[0].why, Reason::Chosen(Why::First), "where all are slow, nothing changes");
}

fn group(strategy: Strategy, fallback: Failures, members: Vec<Tree>) -> Tree {
    let members = members.into_iter().map(|node| Member { node, weight: 1.0 }).collect();
    Node::Group(Group { id: 0, strategy, members, fallback })
}

fn fallback(members: Vec<Tree>) -> Tree {
    group(Strategy::Balance(Balance::Priority), Failures::ELSEWHERE, members)
}

fn t(name: &'static str) -> Tree {
    Node::Target(name)
}

fn plan(tree: &Tree, world: &World) -> Plan<&'static str> {
    tree.plan(world, &mut Dice::new(5)).unwrap()
}

fn names(plan: &Plan<&'static str>) -> Vec<&'static str> {
    plan.steps.iter().map(|step| step.target).collect()
}

fn failed(class: Class, status: u16) -> Failure {
    Failure { class: Some(class), status, retry_after: None }
}

/// The targets that are asked if everybody fails so.
fn walk(plan: &Plan<&'static str>, failure: &Failure) -> Vec<&'static str> {
    let mut asked = Vec::new();
    let mut at = (!plan.steps.is_empty()).then_some(0);
    while let Some(step) = at {
        asked.push(plan.steps[step].target);
        at = plan.after(step, failure);
    }
    asked
}

#[test]
fn a_fallback_goes_on_after_failures_elsewhere_and_stops_at_the_clients_mistake() {
    let plan = plan(&fallback(vec![t("openai"), t("anthropic"), t("google")]), &World::new());
    assert_eq!(walk(&plan, &failed(Class::RateLimit, 429)), ["openai", "anthropic", "google"]);
    assert_eq!(walk(&plan, &failed(Class::Rejected, 400)), ["openai"]);
}

#[test]
fn a_failure_leaves_the_innermost_group_first_and_then_those_around_it() {
    let inner = group(
        Strategy::Balance(Balance::Priority),
        Failures::of_statuses(vec![429]),
        vec![t("openai-1"), t("openai-2")],
    );
    let plan = plan(&fallback(vec![inner, t("anthropic")]), &World::new());
    assert_eq!(names(&plan), ["openai-1", "openai-2", "anthropic"]);
    assert_eq!(walk(&plan, &failed(Class::RateLimit, 429)), ["openai-1", "openai-2", "anthropic"]);
    // The inner group does not go on after a 500; the outer one does, past the inner group's second member.
    assert_eq!(walk(&plan, &failed(Class::ServerError, 500)), ["openai-1", "anthropic"]);
}

#[test]
fn each_step_knows_its_place_in_the_tree() {
    let inner = fallback(vec![t("a"), t("b")]);
    let plan = plan(&fallback(vec![inner, t("c")]), &World::new());
    let paths: Vec<_> = plan.steps.iter().map(|step| step.path.to_vec()).collect();
    assert_eq!(paths, [vec![0, 0], vec![0, 1], vec![1]]);
}

#[test]
fn who_rests_or_is_full_is_left_out_while_there_are_others() {
    let tree = fallback(vec![t("a"), t("b"), t("c")]);
    let capped = plan(&tree, &World::new().with("a", FULL).with("b", FULL));
    assert_eq!(names(&capped), ["c"]);
    assert_eq!(capped.left_out.len(), 2, "who is at its cap is no last resort: somebody forbade it");
    let nobody = plan(&tree, &World::new().with("a", rests(30)).with("b", FULL).with("c", rests(20)));
    assert_eq!((names(&nobody), nobody.wait), (vec!["b", "c"], Duration::from_millis(600)), "a cap is waited for");
}

#[test]
fn the_last_resort_is_who_is_back_soonest_of_those_that_rest_after_all_others_have_failed() {
    let tree = fallback(vec![t("a"), t("b"), t("c"), t("d")]);
    let server_error = failed(Class::ServerError, 500);
    let plan = plan(&tree, &World::new().with("a", rests(30)).with("c", rests(20)));
    assert_eq!(walk(&plan, &server_error), ["b", "d", "c"]);
    assert_eq!(walk(&plan, &failed(Class::Rejected, 400)), ["b"]);
    assert_eq!((plan.steps[2].why, plan.steps[2].path.as_slice()), (Reason::LastResort, &[2][..]));
    assert!(plan.is_last_resort(2) && !plan.is_last_resort(1));
    assert!(plan.has_next(1) && !plan.has_other(1) && plan.has_other(0));
    assert_eq!((plan.usual_from(0), plan.usual_from(1), plan.usual_from(2)), (2, 1, 0));
    let left_out: Vec<_> = plan.left_out.iter().map(|left| left.target).collect();
    assert_eq!(left_out, ["a", "c"]);
}

#[test]
fn when_all_rest_one_is_asked_and_not_each_of_them() {
    let tree = fallback(vec![t("a"), fallback(vec![t("b"), t("c")]), t("d")]);
    let all = |b, c| World::new().with("a", rests(30)).with("b", rests(b)).with("c", rests(c)).with("d", rests(25));
    let plan_of = |world: &World| plan(&tree, world);
    let nested = plan_of(&all(20, 10));
    assert_eq!((names(&nested), nested.steps[0].why), (vec!["c"], Reason::LastResort));
    assert_eq!(nested.left_out.len(), 3);
    assert_eq!(names(&plan_of(&all(90, 80))), ["d"]);
    let alone = plan(&t("a"), &all(1, 1));
    assert_eq!((names(&alone), alone.steps[0].why), (vec!["a"], Reason::Only));
}

#[test]
fn the_last_resort_is_reached_as_its_groups_lead() {
    let on_429 = |members| group(Strategy::Balance(Balance::Priority), Failures::of_statuses(vec![429]), members);
    let tree = fallback(vec![on_429(vec![t("a"), t("b")]), t("c")]);
    let plan_of = |world: &World| plan(&tree, world);
    let plan = plan_of(&World::new().with("a", rests(30)));
    assert_eq!(walk(&plan, &failed(Class::RateLimit, 429)), ["b", "c", "a"]);
    assert_eq!(walk(&plan, &failed(Class::ServerError, 500)), ["b", "c", "a"]);
    // From its own group nothing leads to it but a 429.
    let plan = plan_of(&World::new().with("a", rests(30)).with("c", Standing::Out("it has no credential")));
    assert_eq!(walk(&plan, &failed(Class::RateLimit, 429)), ["b", "a"]);
    assert_eq!(walk(&plan, &failed(Class::ServerError, 500)), ["b"]);
}

#[test]
fn without_fallbacks_the_first_is_asked_however_it_stands_and_no_other() {
    let server_error = failed(Class::ServerError, 500);
    let tree = group(Strategy::Balance(Balance::Priority), Failures::NONE, vec![t("a"), t("b")]);
    for (world, wait_ms) in
        [(World::new().with("a", rests(30)), 0), (World::new().with("a", FULL), 600), (World::new().with("b", FULL), 0)]
    {
        let plan = plan(&tree, &world);
        assert_eq!((walk(&plan, &server_error), plan.wait), (vec!["a"], Duration::from_millis(wait_ms)));
    }
    // Among those of which any may be taken, one that takes calls is.
    let drawn = group(Strategy::Balance(Balance::Weighted), Failures::NONE, vec![t("a"), t("b")]);
    let plan = plan(&drawn, &World::new().with("a", rests(30)));
    assert_eq!(walk(&plan, &server_error), ["b"]);
}

#[test]
fn a_weight_of_nothing_drains_a_target() {
    let weighted = |strategy| {
        let members = [("a", 0.0), ("b", 1.0), ("c", 3.0)];
        let members = members.map(|(name, weight)| Member { node: t(name), weight }).into();
        Node::Group(Group { id: 0, strategy, members, fallback: Failures::ELSEWHERE })
    };
    let rejected = failed(Class::Unavailable, 503);
    for strategy in [Strategy::Balance(Balance::Weighted), Strategy::Sticky(Vec::new())] {
        let tree = weighted(strategy);
        let drained = plan(&tree, &World::new());
        assert_eq!(walk(&drained, &rejected).len(), 2, "not even after a failure");
        assert_eq!(drained.left_out[0].standing.to_string(), "its weight is 0");
        let resting = plan(&tree, &World::new().with("b", rests(9)).with("c", rests(8)));
        assert_eq!(names(&resting), ["c"]);
        let out = Standing::Out("it has no credential");
        assert_eq!(names(&plan(&tree, &World::new().with("b", out).with("c", out))), ["a"], "there is no other");
    }
    let in_order = weighted(Strategy::Balance(Balance::Priority));
    assert_eq!(names(&plan(&in_order, &World::new())), ["a", "b", "c"], "weights mean nothing where none is drawn");
}

#[test]
fn who_cannot_serve_is_left_out_even_if_nobody_else_is_there() {
    let plan = plan(&fallback(vec![t("a")]), &World::new().with("a", Standing::Out("it has no credential")));
    assert!(plan.steps.is_empty());
    assert_eq!(
        plan.left_out,
        [LeftOut { target: "a", path: SmallVec::from_slice(&[0]), standing: Standing::Out("it has no credential") }]
    );
}

#[test]
fn a_group_whose_members_all_rest_rests_as_a_whole() {
    let inner = fallback(vec![t("a"), t("b")]);
    let world = World::new().with("a", rests(9)).with("b", rests(8));
    assert_eq!(names(&plan(&fallback(vec![inner, t("c")]), &world)), ["c", "b"]);
}

#[test]
fn a_condition_sends_a_request_to_its_target_and_to_no_other() {
    let rule = |plan: &str, member| (Query::read(&json!({ "metadata.plan": plan })).unwrap(), member);
    let tree = |default| {
        let strategy = Strategy::Conditional(vec![rule("free", 0), rule("paid", 1)], default);
        group(strategy, Failures::ANY, vec![t("small"), t("large"), t("other")])
    };
    let paid = plan(&tree(Some(2)), &World::new());
    assert_eq!((names(&paid), paid.steps[0].why), (vec!["large"], Reason::Condition(Some(1))));
    let mut nobody = World::new();
    nobody.request = json!({});
    assert_eq!(names(&plan(&tree(Some(2)), &nobody)), ["other"]);
    assert_eq!(tree(None).plan(&nobody, &mut Dice::new(1)), Err(NoMatch));
}

#[test]
fn what_sticks_goes_to_the_same_target_whatever_the_dice_say() {
    let tree =
        group(Strategy::Sticky(vec![Box::from("metadata.user")]), Failures::ELSEWHERE, vec![t("a"), t("b"), t("c")]);
    let first = |user: &str, seed| {
        let mut world = World::new();
        world.request = json!({ "metadata.user": user });
        tree.plan(&world, &mut Dice::new(seed)).unwrap().steps[0].target
    };
    for user in 0..50 {
        let user = format!("user-{user}");
        assert!((0..20).all(|seed| first(&user, seed) == first(&user, 0)));
    }
    let different: std::collections::HashSet<_> = (0..50).map(|user| first(&format!("user-{user}"), 0)).collect();
    assert_eq!(different.len(), 3);
}

#[test]
fn one_target_alone_is_a_plan_of_one_step() {
    let plan = plan(&t("only"), &World::new());
    assert_eq!((names(&plan), plan.steps[0].why), (vec!["only"], Reason::Only));
    assert_eq!(plan.after(0, &failed(Class::ServerError, 500)), None);
}

fn trees() -> impl Generator<Value = Tree> {
    let leaf = prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(Node::Target);
    leaf.prop_recursive(4, 24, 4, |inner| {
        (prop::collection::vec(inner, 1..4), 0_usize..4).prop_map(|(members, kind)| {
            let strategy = match kind {
                0 => Strategy::Single,
                1 => Strategy::Balance(Balance::Weighted),
                2 => Strategy::Sticky(Vec::new()),
                _ => Strategy::Balance(Balance::Priority),
            };
            group(strategy, Failures::ELSEWHERE, members)
        })
    })
}

proptest! {
    #[test]
    fn a_walk_always_ends_and_never_goes_back(tree in trees(), seed in any::<u64>(), standings in any::<[u8; 4]>()) {
        let mut world = World::new();
        for (name, kind) in ["a", "b", "c", "d"].into_iter().zip(standings) {
            world = world.with(name, [Standing::In, FULL, rests(u64::from(kind))][usize::from(kind % 3)]);
        }
        let plan = tree.plan(&world, &mut Dice::new(seed)).unwrap();
        prop_assert!(!plan.steps.is_empty());
        let last_resorts = (0..plan.steps.len()).filter(|step| plan.is_last_resort(*step)).collect::<Vec<_>>();
        prop_assert!(last_resorts.iter().all(|step| step + 1 == plan.steps.len()), "one, and at the end");
        for step in 0..plan.steps.len() {
            if let Some(next) = plan.after(step, &failed(Class::ServerError, 500)) {
                prop_assert!(next > step && next < plan.steps.len());
            }
        }
    }
}

mod limited;
