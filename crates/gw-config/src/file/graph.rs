//! Routes as graphs, in the form of Cloudflare's dynamic routes: as written.
//!
//! Elements and their outputs are those of Cloudflare's API (`/ai-gateway/gateways/{id}/routes`), where properties of an
//! element stand in camel case. Their names in this file's own spelling mean the same.

use super::limit::{Amount, LimitKey, LimitTechnique, LimitType};
use crate::decode::Pairs;
use crate::free::Condition;
use crate::names::{ModelName, ProviderName};
use crate::quantities::Times;
use crate::scalar::Milliseconds;
use crate::section::{choices, section};
use std::time::Duration;

section! {
    /// An element of a route that is written as a graph.
    Element {
        /// What others call it.
        id: String, required;
        /// What it does.
        kind as "type": ElementKind, required;
        /// How it does that.
        properties: ElementProperties;
        /// Where it leads: `next` of a start, `true` and `false` of a condition, percentages and `else`, `success` and
        /// `fallback` of a limit and of a model.
        outputs: Pairs<Output>;
    }
}

/// What an element does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ElementKind {
    Start,
    Conditional,
    Percentage,
    Rate,
    Model,
    End,
}

choices! {
    ElementKind {
        "start" => ElementKind::Start, "Where requests come in.";
        "conditional" => ElementKind::Conditional, "Leads on by a condition on the request.";
        "percentage" => ElementKind::Percentage, "Leads on by chance.";
        "rate" => ElementKind::Rate, "Leads on while it is under a limit of requests or money, and elsewhere beyond it.";
        "rate_limit" => ElementKind::Rate, "The same.";
        "model" => ElementKind::Model, "Asks a model.";
        "end" => ElementKind::End, "The answer goes to the client.";
    }
}

section! {
    /// Where an output of an element leads.
    Output {
        /// The id of an element.
        element_id or "elementId": String, required;
    }
}

section! {
    /// How an element does what it does.
    ElementProperties {
        /// Of a condition: the requests, such as `{"metadata.plan": {"$eq": "free"}}`.
        condition or "conditions": Condition;
        /// Of a limit: what is counted; requests if left out.
        limit_type or "limitType": LimitType;
        /// Of a limit: what tells requests apart, each counted for itself; all are counted together if left out or empty.
        key: LimitKey;
        /// Of a limit: how many requests there may be, or how many dollars they may cost.
        limit: Amount;
        /// Of a limit: in how long; a number is one of seconds.
        interval or "window": Duration;
        /// Of a limit: where the time begins; `sliding` if left out.
        technique: LimitTechnique;
        /// Of a model: name or type of a provider.
        provider: ProviderName;
        /// Of a model: its name there.
        model: ModelName;
        /// Of a model: milliseconds that it may take until its answer begins.
        timeout: Milliseconds;
        /// Of a model: how often it is tried again.
        retries: Times;
    }
}
