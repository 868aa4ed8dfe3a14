//! Plans of trees with limits.

use super::*;
use crate::limit::{Counts, Limit, Named, Technique};

/// A world in which these limits have no room.
struct Limiting<'a> {
    world: World,
    used: &'a [&'static str],
}

impl View<&'static str> for Limiting<'_> {
    fn standing(&self, target: &&'static str) -> Standing {
        self.world.standing(target)
    }

    fn measured(&self, target: &&'static str) -> Measured {
        self.world.measured(target)
    }

    fn wait(&self, limit: &Named, key: &str) -> Duration {
        assert_eq!(key, "u1", "the request says who it is for");
        if self.used.contains(&&*limit.name) { Duration::from_secs(9) } else { Duration::ZERO }
    }

    fn turn(&self, group: usize) -> u64 {
        self.world.turn(group)
    }

    fn facts(&self) -> &dyn Facts {
        &self.world
    }

    fn now(&self) -> Duration {
        View::now(&self.world)
    }
}

fn limited(name: &str, fallback: Failures, members: Vec<Tree>) -> Tree {
    let (counts, technique) = (Counts::Requests, Technique::Sliding);
    let limit = Limit { counts, max: 1, per: Duration::from_secs(60), technique, key: "metadata.user".into() };
    group(Strategy::Limited(Arc::new(Named { name: Arc::from(name), limit })), fallback, members)
}

fn in_order(members: Vec<Tree>) -> Tree {
    group(Strategy::Balance(Balance::Priority), Failures::ELSEWHERE, members)
}

fn planned(tree: &Tree, world: World, used: &[&'static str]) -> Plan<&'static str> {
    tree.plan(&Limiting { world, used }, &mut Dice::new(1)).unwrap()
}

/// Each step with its limits.
fn steps(plan: &Plan<&'static str>) -> Vec<String> {
    let names = |step: &Step<&'static str>| {
        let limits = step.limits.iter().map(|passed| passed.limit.name.to_string());
        std::iter::once(step.target.to_owned()).chain(limits).collect::<Vec<_>>().join(" ")
    };
    plan.steps.iter().map(names).collect()
}

#[test]
fn under_its_limit_the_first_is_asked_and_beyond_it_the_next() {
    let tree = limited("l", Failures::NONE, vec![Node::Target("dear"), Node::Target("cheap")]);
    let plan = planned(&tree, World::new(), &[]);
    assert_eq!(steps(&plan), ["dear l", "cheap"]);
    assert_eq!((plan.steps[0].why, plan.after(0, &Failure::TIMEOUT)), (Reason::UnderLimit, None));
    assert_eq!(plan.beyond(0, &plan.steps[0].limits[0]), Some(1), "somebody else may take the room first");
    let plan = planned(&tree, World::new(), &["l"]);
    assert_eq!(steps(&plan), ["cheap"]);
    assert_eq!((plan.steps[0].why, plan.limited), (Reason::OverLimit, Some(Duration::from_secs(9))));
    assert_eq!(plan.left_out[0].standing, Standing::Out("the limit before it is used"));
}

#[test]
fn a_limit_without_anybody_beyond_leaves_nobody() {
    let plan = planned(&limited("l", Failures::NONE, vec![Node::Target("a")]), World::new(), &["l"]);
    assert_eq!((plan.steps.len(), plan.limited), (0, Some(Duration::from_secs(9))));
}

#[test]
fn limits_stand_behind_each_other_and_each_overflows_to_its_own() {
    let inner =
        limited("inner", Failures::NONE, vec![in_order(vec![Node::Target("a"), Node::Target("b")]), Node::Target("c")]);
    let tree = limited("outer", Failures::NONE, vec![inner, Node::Target("d")]);
    let plan = planned(&tree, World::new(), &[]);
    assert_eq!(steps(&plan), ["a inner outer", "b inner outer", "c outer", "d"]);
    let beyond = |step: usize, limit: usize| plan.beyond(step, &plan.steps[step].limits[limit]);
    assert_eq!([beyond(0, 0), beyond(0, 1), beyond(1, 0), beyond(2, 0)], [Some(2), Some(3), Some(2), Some(3)]);
    assert!(plan.has_no_more_limits(1, 0) && plan.has_no_more_limits(2, 0) && !plan.has_no_more_limits(0, 2));
    assert_eq!(steps(&planned(&tree, World::new(), &["inner"])), ["c outer", "d"]);
    assert_eq!(steps(&planned(&tree, World::new(), &["outer"])), ["d"]);
}

#[test]
fn the_last_resort_has_to_pass_the_limits_on_its_way_too() {
    let tree = in_order(vec![
        limited("l", Failures::NONE, vec![in_order(vec![Node::Target("a"), Node::Target("b")])]),
        Node::Target("c"),
    ]);
    let resting = || World::new().with("a", rests(5));
    assert_eq!(steps(&planned(&tree, resting(), &[])), ["b l", "c", "a l"]);
    assert_eq!(steps(&planned(&tree, resting(), &["l"])), ["c"]);
}

#[test]
fn who_rests_uses_nothing_of_a_limit() {
    let tree = limited("l", Failures::ELSEWHERE, vec![Node::Target("a"), Node::Target("b")]);
    assert_eq!(steps(&planned(&tree, World::new().with("a", rests(5)), &[])), ["b", "a l"]);
}

#[test]
fn a_narrowed_tree_keeps_its_limit_where_it_stands() {
    let tree = limited("l", Failures::NONE, vec![Node::Target("a"), Node::Target("b")]);
    let kept =
        |name: &'static str| tree.filter_map(&mut |target| (*target == name).then(|| Node::Target(*target))).unwrap();
    assert_eq!(steps(&planned(&kept("a"), World::new(), &[])), ["a l"]);
    assert_eq!(steps(&planned(&kept("b"), World::new(), &["l"])), ["b"]);
}
