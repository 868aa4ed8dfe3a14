//! Laying a group whose members are models of which one is to suit the conversation.

use super::lay::{LaidMembers, Layer, Path, below};
use super::{Group, LeftOut, NoMatch, Node, Reason, Standing};
use crate::auto::{Abilities, Auto, Lack, choose};

/// So many members that take calls are in a plan: whoever needs more has another trouble than a model that fails.
const CHOICES_MAX: usize = 8;

impl<T: Clone> Layer<'_, T> {
    /// Lays the members that suit best, the best first. Those that lack something are left out, and so is what would come
    /// after enough that take calls.
    pub(super) fn lay_suiting<'g>(
        &mut self,
        auto: &Auto,
        group: &'g Group<T>,
        path: &Path,
    ) -> Result<LaidMembers<'g, T>, NoMatch> {
        let need = self.view.need();
        let known: Vec<_> = group.members.iter().map(|member| self.abilities(&member.node)).collect();
        for (index, (member, known)) in group.members.iter().zip(&known).enumerate() {
            if let Some(lack) = known.lacks(&need) {
                self.leave_out_node(&member.node, &below(path, index), lack);
            }
        }
        let mut laid = LaidMembers::new();
        for index in choose::order(auto, &need, &known) {
            let Some(member) = group.members.get(index) else { continue };
            laid.extend(self.lay(&member.node, below(path, index), Reason::Follows)?.map(|one| (one, member)));
            if laid.iter().filter(|(one, _)| one.standing == Standing::In).count() == CHOICES_MAX {
                break;
            }
        }
        Ok(laid)
    }

    /// Why the first of such a group is the first.
    pub(super) fn suits(&self, auto: &Auto) -> Reason {
        let need = self.view.need();
        Reason::Suits(need.class, need.tier().max(auto.tier_min))
    }

    /// What is certain of whoever answers.
    fn abilities(&self, node: &Node<T>) -> Abilities {
        let all = node.targets().into_iter().map(|target| self.view.abilities(target));
        all.reduce(Abilities::and).unwrap_or_default()
    }

    fn leave_out_node(&mut self, node: &Node<T>, path: &Path, lack: Lack) {
        match node {
            Node::Target(target) => {
                let (target, path) = (target.clone(), path.clone());
                self.left_out.push(LeftOut { target, path, standing: Standing::Unable(lack) });
            }
            Node::Group(group) => {
                for (index, member) in group.members.iter().enumerate() {
                    self.leave_out_node(&member.node, &below(path, index), lack);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::auto::{Can, Class, Need, Tier, Tradeoff};
    use crate::condition::Facts;
    use crate::dice::Dice;
    use crate::failure::Failures;
    use crate::measure::Measured;
    use crate::plan::{Member, Plan, Strategy, View};

    /// A model: its tier, its price, and how it stands.
    type Model = (Tier, i64, Standing);

    struct Seen(Need);

    impl Facts for Seen {
        fn fact(&self, _path: &str) -> Option<Cow<'_, Value>> {
            None
        }
    }

    impl View<Model> for Seen {
        fn standing(&self, target: &Model) -> Standing {
            target.2
        }

        fn measured(&self, _target: &Model) -> Measured {
            Measured::default()
        }

        fn need(&self) -> Need {
            self.0
        }

        fn abilities(&self, target: &Model) -> Abilities {
            let can = Can { images: target.0 != Tier::Small, ..Can::default() };
            Abilities { tier: Some(target.0), price: Some(target.1), can: Some(can), ..Abilities::default() }
        }

        fn turn(&self, _group: usize) -> u64 {
            0
        }

        fn facts(&self) -> &dyn Facts {
            self
        }

        fn now(&self) -> Duration {
            Duration::ZERO
        }
    }

    const RESTS: Standing = Standing::Resting(Duration::from_secs(9));

    fn plan(models: &[Model], need: Need) -> Plan<Model> {
        let strategy = Strategy::Auto(Auto { tradeoff: Tradeoff::MAX, ..Auto::default() });
        let members = models.iter().map(|model| Member { node: Node::Target(*model), weight: 1.0 }).collect();
        let node = Node::Group(Group { id: 0, strategy, members, fallback: Failures::ELSEWHERE });
        node.plan(&Seen(need), &mut Dice::new(1)).unwrap()
    }

    fn prices(plan: &Plan<Model>) -> Vec<i64> {
        plan.steps.iter().map(|step| step.target.1).collect()
    }

    const THREE: [Model; 3] =
        [(Tier::Flagship, 25, Standing::In), (Tier::Small, 1, Standing::In), (Tier::Standard, 5, Standing::In)];

    fn need(class: Class) -> Need {
        Need { class, ..Need::default() }
    }

    #[test]
    fn the_best_comes_first_and_failures_lead_to_the_next_best() {
        let talk = plan(&THREE, need(Class::Talk));
        assert_eq!(prices(&talk), [1, 5, 25]);
        assert_eq!(talk.steps[0].why, Reason::Suits(Class::Talk, Tier::Small));
        assert_eq!((talk.steps[1].why, talk.has_next(0), talk.has_next(2)), (Reason::Follows, true, false));
        assert_eq!(talk.steps[0].path.as_slice(), [1], "where it was written");
        assert_eq!(prices(&plan(&THREE, need(Class::Code))), [5, 25, 1]);
    }

    #[test]
    fn whoever_rests_is_the_last_resort_and_whoever_cannot_is_never_asked() {
        let mut models = THREE;
        models[2].2 = RESTS;
        let looked_at = Need { can: Can { images: true, ..Can::default() }, ..need(Class::Vision) };
        let plan = plan(&models, looked_at);
        assert_eq!(prices(&plan), [25, 5]);
        assert!(plan.is_last_resort(1));
        let left: Vec<_> = plan.left_out.iter().map(|left| (left.target.1, left.standing)).collect();
        assert_eq!(left, [(1, Standing::Unable(Lack::Images)), (5, RESTS)]);
    }

    #[test]
    fn a_plan_of_many_models_is_short_and_goes_past_those_that_rest() {
        let models: Vec<Model> =
            (1..=100).map(|price| (Tier::Small, price, if price <= 20 { RESTS } else { Standing::In })).collect();
        let plan = plan(&models, need(Class::Talk));
        assert_eq!(prices(&plan)[..CHOICES_MAX], (21..29).collect::<Vec<_>>());
        assert_eq!(plan.steps.len(), CHOICES_MAX + 1, "and the last resort");
    }
}
