//! Plans of small trees, as people draw them.

use std::borrow::Cow;
use std::collections::HashMap;

use proptest::prelude::{Strategy as Generator, any, prop, prop_assert, proptest};
use serde_json::{Value, json};

use super::*;
use crate::failure::Class;

type Tree = Node<&'static str>;

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
    let resting = Standing::Resting(Duration::from_secs(1_030));
    let full = Standing::Full(Duration::from_millis(600));
    let plan_of = |world: &World| plan(&tree, world);
    let two = plan_of(&World::new().with("a", resting).with("b", full));
    assert_eq!(names(&two), ["c"]);
    assert_eq!(two.left_out.len(), 2);
    let nobody = plan_of(&World::new().with("a", resting).with("b", full).with("c", resting));
    assert_eq!((names(&nobody), nobody.wait), (vec!["b"], Duration::from_millis(600)), "a cap is waited for");
    let all_resting = plan_of(&World::new().with("a", resting).with("b", resting).with("c", resting));
    assert_eq!(names(&all_resting), ["a", "b", "c"], "a pool that is all open still tries");
}

#[test]
fn who_cannot_serve_is_left_out_even_if_nobody_else_is_there() {
    let plan = plan(&fallback(vec![t("a")]), &World::new().with("a", Standing::Out("it has no credential")));
    assert!(plan.steps.is_empty());
    assert_eq!(plan.left_out, [LeftOut { target: "a", standing: Standing::Out("it has no credential") }]);
}

#[test]
fn a_group_whose_members_all_rest_rests_as_a_whole() {
    let inner = fallback(vec![t("a"), t("b")]);
    let resting = Standing::Resting(Duration::from_secs(1_001));
    let world = World::new().with("a", resting).with("b", resting);
    assert_eq!(names(&plan(&fallback(vec![inner, t("c")]), &world)), ["c"]);
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
    fn a_walk_always_ends_and_never_goes_back(tree in trees(), seed in any::<u64>()) {
        let plan = tree.plan(&World::new(), &mut Dice::new(seed)).unwrap();
        prop_assert!(!plan.steps.is_empty());
        for step in 0..plan.steps.len() {
            if let Some(next) = plan.after(step, &failed(Class::ServerError, 500)) {
                prop_assert!(next > step && next < plan.steps.len());
            }
        }
    }
}
