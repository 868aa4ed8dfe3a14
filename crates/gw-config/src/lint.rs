//! What can be executed and is seldom meant.

use gw_policy::balance::Balance;

use crate::config::{Config, RouteGroup, RouteNode, RouteStrategy, Target};
use crate::diagnostic::Diagnostic;
use crate::text::quote;

/// Warns of fallbacks to lesser models: what was good enough before a failure is not good enough after it. Nobody is
/// warned if `routing.allow_downgrade` says that they are meant.
///
/// `tier` is how good a model is, by its name; better ones are greater. Models of which nothing is known are left out.
pub fn downgrades<T: PartialOrd>(config: &Config, tier: impl Fn(&str) -> Option<T>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if !config.routing.allow_downgrade {
        config.routes.iter().for_each(|route| look(&route.node, &tier, &mut found));
    }
    found
}

fn look<T: PartialOrd>(node: &RouteNode, tier: &impl Fn(&str) -> Option<T>, found: &mut Vec<Diagnostic>) {
    let RouteNode::Group(group) = node else { return };
    group.members.iter().for_each(|(member, _)| look(member, tier, found));
    // Where targets share the requests, the lesser ones are chosen, not fallen back to.
    let falls_back = matches!(group.strategy, RouteStrategy::Balance(Balance::Priority)) && !group.fallback.is_empty();
    if falls_back {
        compare(group, tier, found);
    }
}

fn compare<T: PartialOrd>(group: &RouteGroup, tier: &impl Fn(&str) -> Option<T>, found: &mut Vec<Diagnostic>) {
    let tier_of = |target: &Target| target.model.as_ref().and_then(|model| tier(&model.value));
    let Some(((first, _), others)) = group.members.split_first() else { return };
    let first = first.targets().into_iter().find_map(|target| Some((target.model.as_ref()?, tier_of(target)?)));
    let Some((wanted, wanted_tier)) = first else { return };
    for target in others.iter().flat_map(|(node, _)| node.targets()) {
        if let (Some(model), Some(tier)) = (&target.model, tier_of(target))
            && tier < wanted_tier
        {
            let message = format!(
                "{} is a lesser model than {}, which it stands in for",
                quote(&model.value),
                quote(&wanted.value)
            );
            let help = "name one of the same tier, or set \"routing.allow_downgrade: true\" if it is meant";
            found.push(Diagnostic::warning(&model.place, message).with_help(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Environment, LoadOptions, load_str};

    fn told(text: &str) -> Vec<String> {
        let options = LoadOptions { provider_types: &["openai", "groq"], ..LoadOptions::default() };
        let loaded = load_str(text, Path::new("c.yaml"), &Environment::empty(), &options).unwrap();
        let tier = |model: &str| match model {
            "gpt-4" | "claude" => Some(2),
            "gpt-3.5-turbo" => Some(1),
            _ => None,
        };
        downgrades(&loaded.config, tier).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_fallback_to_a_lesser_model_is_told_with_its_line() {
        let text = "targets:\n- { provider: openai, model: gpt-4 }\n- { provider: groq, model: unknown }\n\
                    - { provider: openai, model: gpt-3.5-turbo }\n";
        let told = told(text);
        assert_eq!(told.len(), 1);
        assert!(
            told[0].starts_with("c.yaml:4:") && told[0].contains("\"gpt-3.5-turbo\" is a lesser model than \"gpt-4\""),
            "{told:?}"
        );
    }

    #[test]
    fn what_is_no_downgrade_or_is_meant_is_not_told() {
        for text in [
            "targets: [{ provider: openai, model: gpt-4 }, { provider: groq, model: claude }]",
            "targets: [{ provider: openai, model: gpt-3.5-turbo }, { provider: groq, model: gpt-4 }]",
            "targets: [{ provider: openai, model: gpt-4 }, { provider: groq, model: gpt-3.5-turbo }]\nstrategy: loadbalance",
            "targets: [{ provider: openai, model: gpt-4 }, { provider: groq, model: gpt-3.5-turbo }]\n\
             routing: { allow_downgrade: true }",
        ] {
            assert_eq!(told(text), Vec::<String>::new(), "{text}");
        }
    }
}
