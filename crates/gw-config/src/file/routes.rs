//! `routes`, and the targets of the JSON form: as written.

use super::later::{access, caching, routing};
use crate::config::Spanned;
use crate::decode::{Decode, Decoder, Written};
use crate::names::{ModelName, ProviderName};
use crate::node::Node;
use crate::scalar::{Milliseconds, kind};
use crate::section::{choices, section};
use crate::shape::{ANYTHING, BOOLEAN, Field, NUMBER, NUMBERS, Off, Presence, Section, Shape, TEXT, TEXTS, planned};
use crate::url::BaseUrl;
use crate::values::SecretText;

section! {
    /// A name for a model with its targets written out.
    Route {
        /// What applications write as the model.
        name: ModelName, required;
        /// Where such requests go. This version executes one target.
        targets: Vec<Spanned<Target>>, required;
    }
}

section! {
    /// A provider and the model's name there. One of the two may be left out.
    Target {
        /// Name or type of a provider; whichever serves the model if left out.
        provider: ProviderName;
        /// The model's name there; the one that the application wrote if left out.
        model: ModelName;
    }
}

section! {
    /// The JSON form: how a target is chosen.
    Strategy {
        /// The way. With one target they are all the same, and this version executes no more.
        mode: StrategyMode;
    }
    planned: [
        planned("on_status_codes", &NUMBERS, "The statuses after which the next target is tried."),
        planned("conditions", &Shape::List(&ANYTHING), "Which requests go to which target."),
        planned("default", &TEXT, "The target of requests that meet no condition."),
        planned("sticky", &ANYTHING, "Keeping a caller at a target."),
        planned("cb_config", &ANYTHING, "Leaving out a target that fails."),
    ]
}

/// How a target of the JSON form is chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StrategyMode {
    /// The first.
    Single,
    /// The first that answers.
    Fallback,
    /// By weight.
    Loadbalance,
    /// By conditions on the request.
    Conditional,
}

choices! {
    StrategyMode {
        "single" => StrategyMode::Single, "The first target.";
        "fallback" => StrategyMode::Fallback, "The first target that answers.";
        "loadbalance" => StrategyMode::Loadbalance, "Targets by their weight.";
        "conditional" => StrategyMode::Conditional, "Targets by conditions on the request.";
    }
}

section! {
    /// A target of the JSON form: a provider, and the model that every request to it gets.
    JsonTarget {
        /// The provider's type, such as `openai`.
        provider: String, required;
        /// The provider's name here; the type if left out.
        name: ProviderName;
        /// The credential; the environment variable that the type knows if left out.
        api_key: SecretText;
        /// Base URL, in place of the one that the type has.
        custom_host: BaseUrl;
        /// The model, as `override_params.model`.
        model: ModelName;
        /// What is overwritten in each request.
        override_params: OverrideParams;
        /// Milliseconds that it may take until its answer begins.
        request_timeout: Milliseconds;
    }
    planned: [
        planned("weight", &NUMBER, "Its share of the requests; with one target it has all.")
            .off(Off::With(&["provider"])),
        planned("retry", &Shape::Section(&routing::RETRY), "Further tries after a failure.").off(Off::Inside),
        planned("cache", &Shape::Section(&caching::CACHE), "Keeping answers for equal requests."),
        planned("strategy", &ANYTHING, "How one of its own targets is chosen."),
        planned("targets", &Shape::List(&ANYTHING), "Targets of its own."),
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

/// What is overwritten in each request: the model; other fields are not executed by this version.
#[derive(Default)]
pub(crate) struct OverrideParams {
    pub(crate) model: Written<ModelName>,
}

impl OverrideParams {
    const SECTION: Section = Section {
        about: "What is overwritten in each request. This version executes `model`.",
        fields: &[Field {
            key: "model",
            alias: None,
            about: "The model.",
            shape: &Shape::Scalar(kind::<ModelName>()),
            presence: Presence::Optional,
        }],
        planned: &[],
        open: true,
    };
}

impl Decode for OverrideParams {
    const SHAPE: &'static Shape = &Shape::Section(&Self::SECTION);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let entries = decoder.section(node, &Self::SECTION)?;
        Some(Self { model: decoder.field(entries, "model", None) })
    }
}
