//! In which order credentials are tried where a caller has some of its own: its own and the house's, of several
//! providers. What is decided here is pure: whoever knows of credentials makes [`Offer`]s of them, wherever they are from.

use crate::failure::Failures;
use crate::plan::Node;

/// A provider that serves a model, by whose credentials it can be asked. `T` names a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer<T> {
    /// With each of the caller's own, in the order in which they are tried.
    pub own: Vec<T>,
    /// With the house's, if it has one that may be used.
    pub shared: Option<T>,
}

/// Which credentials come first, as configurations name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum CredentialOrder {
    /// All of the caller's own at all providers, then the house's in the same order of providers.
    #[default]
    ByokFirst,
    /// Of each provider the caller's own, then the house's; then the next provider.
    ProviderFirst,
}

impl<T> Offer<T> {
    /// What the house alone offers.
    pub const fn shared(target: T) -> Self {
        Self { own: Vec::new(), shared: Some(target) }
    }

    /// Every way to ask it, in order.
    pub fn targets(&self) -> impl Iterator<Item = &T> {
        self.own.iter().chain(&self.shared)
    }
}

impl CredentialOrder {
    /// The attempts at these offers, which are a tree in the order of the providers. From one credential to the next it
    /// goes on after these failures; from one provider to the next as the tree says. `None` if nobody offers anything.
    pub fn arrange<T: Clone>(self, offers: &Node<Offer<T>>, fallback: &Failures) -> Option<Node<T>> {
        let tried = |targets: Vec<T>| Node::in_order(targets.into_iter().map(Node::Target).collect(), fallback);
        match self {
            Self::ByokFirst => {
                let own = offers.filter_map(&mut |offer: &Offer<T>| tried(offer.own.clone()));
                let shared = offers.filter_map(&mut |offer: &Offer<T>| offer.shared.clone().map(Node::Target));
                Node::in_order(own.into_iter().chain(shared).collect(), fallback)
            }
            Self::ProviderFirst => offers.filter_map(&mut |offer| tried(offer.targets().cloned().collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::condition::Facts;
    use crate::dice::Dice;
    use crate::measure::Measured;
    use crate::plan::{Group, Member, Standing, Strategy, View};

    /// Everybody takes calls, and nothing is known.
    struct Plain;

    impl Facts for Plain {
        fn fact(&self, _path: &str) -> Option<Cow<'_, Value>> {
            None
        }
    }

    impl View<String> for Plain {
        fn standing(&self, _target: &String) -> Standing {
            Standing::In
        }

        fn measured(&self, _target: &String) -> Measured {
            Measured::default()
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

    /// Providers in their order; of each, how many keys the caller has and whether the house has one.
    fn offers(providers: &[(&str, usize, bool)]) -> Node<Offer<String>> {
        let offer = |(name, own, shared): &(&str, usize, bool)| {
            Node::Target(Offer {
                own: (1..=*own).map(|number| format!("{name}(byok {number})")).collect(),
                shared: shared.then(|| format!("{name}(shared)")),
            })
        };
        Node::in_order(providers.iter().map(offer).collect(), &Failures::ELSEWHERE).unwrap()
    }

    fn planned(order: CredentialOrder, offers: &Node<Offer<String>>) -> String {
        let node = order.arrange(offers, &Failures::ELSEWHERE).unwrap();
        let plan = node.plan(&Plain, &mut Dice::new(1)).unwrap();
        for step in 0..plan.steps.len() - 1 {
            assert!(plan.exits(step).any(|(_, to)| to == step + 1), "step {step} leads to the next");
        }
        plan.steps.iter().map(|step| &*step.target).collect::<Vec<_>>().join(" → ").replace(" 1)", ")")
    }

    #[test]
    fn all_of_the_callers_own_come_first_in_the_order_of_the_providers_and_then_the_shared_ones() {
        // S4-30.
        let all = offers(&[("Bedrock", 1, true), ("Vertex", 1, true), ("Anthropic", 1, true)]);
        assert_eq!(
            planned(CredentialOrder::ByokFirst, &all),
            "Bedrock(byok) → Vertex(byok) → Anthropic(byok) → Bedrock(shared) → Vertex(shared) → Anthropic(shared)"
        );
    }

    #[test]
    fn the_only_key_of_ones_own_comes_first_although_its_provider_is_the_second() {
        // S4-32.
        let partial = offers(&[("Bedrock", 0, true), ("Vertex", 1, true)]);
        assert_eq!(planned(CredentialOrder::ByokFirst, &partial), "Vertex(byok) → Bedrock(shared) → Vertex(shared)");
    }

    #[test]
    fn by_provider_another_key_comes_before_the_shared_one_and_that_before_the_next_provider() {
        // S0: other credentials of the provider, the system's, other providers.
        let two = offers(&[("Anthropic", 2, true), ("Bedrock", 1, true), ("Vertex", 0, true)]);
        assert_eq!(
            planned(CredentialOrder::ProviderFirst, &two),
            "Anthropic(byok) → Anthropic(byok 2) → Anthropic(shared) → Bedrock(byok) → Bedrock(shared) → Vertex(shared)"
        );
    }

    #[test]
    fn what_the_house_does_not_offer_is_not_tried() {
        for order in [CredentialOrder::ByokFirst, CredentialOrder::ProviderFirst] {
            assert_eq!(planned(order, &offers(&[("A", 1, false), ("B", 1, false)])), "A(byok) → B(byok)");
            assert_eq!(planned(order, &offers(&[("A", 0, true), ("B", 0, true)])), "A(shared) → B(shared)");
        }
        let nothing: Node<Offer<String>> = Node::Target(Offer { own: Vec::new(), shared: None });
        assert!(CredentialOrder::ByokFirst.arrange(&nothing, &Failures::ELSEWHERE).is_none());
    }

    #[test]
    fn a_key_of_ones_own_does_not_go_around_a_condition() {
        // The second member is what the condition leads to; there is a key for the first only.
        let Node::Group(group) = offers(&[("US", 1, true), ("EU", 0, true)]) else { panic!("a group") };
        let strategy = Strategy::Conditional(Vec::new(), Some(1));
        let bound = Node::Group(Group { strategy, ..group });
        for order in [CredentialOrder::ByokFirst, CredentialOrder::ProviderFirst] {
            assert_eq!(planned(order, &bound), "EU(shared)");
        }
    }

    #[test]
    fn without_fallbacks_from_one_provider_to_the_next_the_first_ones_keys_are_all_tried() {
        let Node::Group(group) = offers(&[("A", 2, false), ("B", 1, false)]) else { panic!("a group") };
        let members: Vec<Member<_>> = group.members.clone();
        let first_only = Node::Group(Group { fallback: Failures::NONE, members, ..group });
        let node = CredentialOrder::ByokFirst.arrange(&first_only, &Failures::ELSEWHERE).unwrap();
        let plan = node.plan(&Plain, &mut Dice::new(1)).unwrap();
        assert!(plan.has_next(0), "from the first key to the second");
        assert!(!plan.has_next(1), "and not to the next provider");
    }
}
