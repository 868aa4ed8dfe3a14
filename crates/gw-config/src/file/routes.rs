//! `routes`, and the targets of the JSON form: as written.

use std::time::Duration;

use gw_policy::auto::Tier;

use super::graph::Element;
use super::later::{access, caching};
use super::limit::{Amount, LimitKey, LimitTechnique, LimitType};
use super::routing::{Mode, Retry};
use crate::config::Spanned;
use crate::decode::{Decode, Decoder, Written};
use crate::expression::ExpressionText;
use crate::free::{Condition, FailureName, FreeMembers, Nested};
use crate::names::{ModelName, ModelPattern, ProviderName};
use crate::node::{Node, Value};
use crate::quantities::{Status, Tradeoff, Weight};
use crate::scalar::{Count, Milliseconds};
use crate::section::{choices, section};
use crate::shape::{ANYTHING, BOOLEAN, NUMBER, Off, Shape, TEXT, TEXTS, planned};
use crate::url::BaseUrl;
use crate::values::SecretText;

section! {
    /// A name for a model with its targets written out.
    Route {
        /// What applications write as the model.
        name: ModelName, required;
        /// How the first target is found.
        strategy: StrategyForm;
        /// Where such requests go. Needed, except with `mode: auto` and `allowed_models`.
        targets: Vec<Spanned<Target>>;
        /// With `mode: auto`: names of models that providers serve, such as `gpt-*` or `openai/*`; `*` stands for anything.
        allowed_models: Vec<Spanned<ModelPattern>>;
        /// With `mode: auto`: names of models that are left out of those.
        excluded_models: Vec<Spanned<ModelPattern>>;
        /// In place of `targets`: the route as a graph in Cloudflare's form, see docs/route-graphs.md.
        elements: Vec<Spanned<Element>>;
        /// In place of `targets`: several versions, of which one is deployed and the others are drafts.
        versions: Vec<Spanned<Version>>;
        /// With `versions`: the number of the one that requests get.
        deployed: Count;
        /// With `versions`: whether requests may ask for a draft, as `NAME@NUMBER`. `POST /gateway/plan` may always.
        drafts: bool;
        /// The failures after which the next target is tried; as `routing` says if left out.
        fallback_on_errors or "fallback_on": Vec<Spanned<FailureName>>;
        /// Members that are written over the request's, at every target.
        override_params: FreeMembers;
        /// How a target is tried again, where it does not say so itself.
        retry: Retry;
        /// How long a target may take until its answer begins, where it does not say so itself.
        first_byte_timeout: Duration;
    }
}

section! {
    /// A version of a route.
    Version {
        /// Its number.
        number as "version": Count, required;
        /// How the first target is found.
        strategy: StrategyForm;
        /// Where such requests go.
        targets: Vec<Spanned<Target>>;
        /// In place of `targets`: the version as a graph in Cloudflare's form.
        elements: Vec<Spanned<Element>>;
    }
}

section! {
    /// A provider and the model's name there, of which one may be left out; or targets of its own.
    Target {
        /// What `strategy.conditions` call it.
        name: ModelName;
        /// Name or type of a provider; whichever serves the model if left out.
        provider: ProviderName;
        /// The model's name there; the one that the application wrote if left out.
        model: ModelName;
        /// Its share of the requests, against the others'; 1 if left out. With 0 it gets none while another could serve.
        weight: Weight;
        /// Members that are written over the request's.
        override_params: FreeMembers;
        /// How it is tried again; as its provider says if left out.
        retry: Retry;
        /// How long it may take until its answer begins; as its provider says if left out.
        first_byte_timeout: Duration;
        /// With `mode: auto`: how able its model is; as the catalogue says if left out.
        tier: Tier;
        /// With `targets`: how the first of them is found.
        strategy: StrategyForm;
        /// Targets of its own, in place of a provider and a model.
        targets: Nested<Target>;
        /// With `targets`: the failures after which the next of them is tried.
        fallback_on_errors or "fallback_on": Vec<Spanned<FailureName>>;
    }
}

section! {
    /// How the first target is found.
    Strategy {
        /// The way; `fallback` if left out.
        mode: Mode;
        /// The statuses after which the next target is tried, and no others. A broken connection counts as 500.
        on_status_codes: Vec<Spanned<Status>>;
        /// With `conditional`: which requests go to which target. The first that holds counts.
        conditions: Vec<Spanned<Branch>>;
        /// With `conditional`: the name of the target of the other requests. They are refused if left out.
        default_target as "default": String;
        /// With `limit`: what is counted; requests if left out.
        limit_type or "limitType": LimitType;
        /// With `limit`: what tells requests apart, each counted for itself: a member of `metadata`, `params` (the body) or
        /// `headers`, `user`, or `key` (the name of the caller's key). All are counted together if left out or empty.
        key: LimitKey;
        /// With `limit`: how many requests there may be, or how many dollars they may cost.
        limit: Amount;
        /// With `limit`: in how long, such as `1h`.
        interval or "window": Duration;
        /// With `limit`: where the time begins; `sliding` if left out.
        technique: LimitTechnique;
        /// With `loadbalance` or `sticky`: keeping a caller at a target.
        sticky: Sticky;
        /// With `auto`: from 0, where the best model is taken, to 10, where the cheapest is that will do. A request may ask
        /// for more thrift, and for less only if this is left out: then it is 7.
        cost_quality_tradeoff: Tradeoff;
        /// With `auto`: models below this tier come last, whatever is asked.
        minimum_tier: Tier;
    }
    planned: [planned("cb_config", &ANYTHING, "Leaving out a target that fails. Meanwhile `circuit_breaker` does.")]
}

section! {
    /// Which requests go to a target.
    Branch {
        /// The requests, such as `{"metadata.plan": {"$eq": "paid"}}`; as in `routing.rules[].condition.query`.
        query: Condition;
        /// The requests, as an expression; as in `routing.rules[].condition.expression`. With `query`, both must hold.
        expression: ExpressionText;
        /// The name of the target.
        then: String, required;
    }
}

section! {
    /// Keeping a caller at a target.
    Sticky {
        /// Whether it is done; it is if the section stands without this.
        enabled: bool;
        /// What a caller is told by: members of `metadata`, `params` (the body) and `headers`, or `user`, which is what
        /// the request says of its user. `user` if left out.
        hash_fields: Vec<Spanned<String>>;
    }
    planned: [
        planned("ttl", &NUMBER, "Seconds that it holds. It holds for as long as the targets are the same.")
            .off(Off::With(&["enabled", "hash_fields"])),
    ]
}

choices! {
    Tier {
        "small" => Tier::Small, "Below all others.";
        "standard" => Tier::Standard, "In between.";
        "flagship" => Tier::Flagship, "Of the best that its maker has.";
    }
}

/// How the first target is found: a word, or a section.
pub(crate) struct StrategyForm(pub(crate) Strategy);

impl Decode for StrategyForm {
    const SHAPE: &'static Shape = &Shape::Either(Mode::SHAPE, Strategy::SHAPE);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(_) => {
                let mode = Spanned { value: Mode::decode(node, decoder)?, place: node.place.clone() };
                Some(Self(Strategy { mode: Written::Given(mode), ..Strategy::default() }))
            }
            Value::List(_) | Value::Map(_) => Strategy::decode(node, decoder).map(Self),
        }
    }
}

section! {
    /// A target of the JSON form: a provider, and the model that every request to it gets; or targets of its own. With an
    /// `id` it is one that rules and routes refer to: its provider is one of `providers`, and it has no key of its own.
    JsonTarget {
        /// What `routing.rules`, `routes` and `prefer_provider` call it.
        id: ProviderName;
        /// The provider's type, such as `openai`. Needed unless there are `targets`.
        provider: String;
        /// What `strategy.conditions` call it, and the provider's name here if it can be one; the type if left out.
        name: ModelName;
        /// The credential; the environment variable that the type knows if left out.
        api_key: SecretText;
        /// Base URL, in place of the one that the type has.
        custom_host: BaseUrl;
        /// The model, as `override_params.model`.
        model: ModelName;
        /// Members that are written over the request's. Targets of its own inherit them.
        override_params: FreeMembers;
        /// Milliseconds that it may take until its answer begins. Targets of its own inherit it.
        request_timeout: Milliseconds;
        /// How it is tried again. Targets of its own inherit it.
        retry: Retry;
        /// Its share of the requests, against the others'; 1 if left out. With 0 it gets none while another could serve.
        weight: Weight;
        /// With `targets`: how the first of them is found.
        strategy: StrategyForm;
        /// Targets of its own, in place of a provider.
        targets: Nested<JsonTarget>;
    }
    planned: [
        planned("cache", &Shape::Section(&caching::CACHE), "Keeping answers for equal requests."),
        planned("virtual_key", &TEXT, "A credential from a store."),
        planned("forward_headers", &TEXTS, "Headers of the client that are passed on."),
        planned("strict_open_ai_compliance", &BOOLEAN, "Whether fields that OpenAI does not know are removed from answers.")
            .off(Off::When("false")),
        planned("input_guardrails", &access::GUARDRAILS, "Checks of requests."),
        planned("output_guardrails", &access::GUARDRAILS, "Checks of answers."),
        planned("input_mutators", &access::GUARDRAILS, "Changes to requests."),
        planned("output_mutators", &access::GUARDRAILS, "Changes to answers."),
        planned("before_request_hooks", &access::GUARDRAILS, "Checks and changes before a request."),
        planned("after_request_hooks", &access::GUARDRAILS, "Checks and changes after a request."),
    ]
}
