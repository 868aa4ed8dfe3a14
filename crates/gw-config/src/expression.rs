//! Conditions on requests that are written as expressions.

use std::sync::Arc;

use gw_policy::condition::Query;
use gw_policy::expression::Expression;

use crate::decode::{Decode, Decoder};
use crate::node::Node;
use crate::scalar::{Fault, Json, Kind};
use crate::shape::Shape;

const NAME: &str = "an expression";

/// An expression that was read.
pub(crate) struct ExpressionText(Arc<Expression>);

impl ExpressionText {
    /// It as a condition.
    pub(crate) fn query(&self) -> Query {
        Query::Expression(Arc::clone(&self.0))
    }
}

impl Decode for ExpressionText {
    const SHAPE: &'static Shape = &Shape::Scalar(Kind { name: NAME, json: Json::Text, check });

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let resolved = decoder.text(node, NAME)?;
        let mistake = match Expression::read(&resolved.text) {
            Ok(expression) => return Some(Self(Arc::new(expression))),
            Err(mistake) => mistake,
        };
        if resolved.literal {
            decoder.mistake(&node.place, format_args!("is no expression: {}", mistake.what), Some(&mistake.help));
        } else {
            // What came from elsewhere must not be told, and what is wrong with it would tell it.
            let predicate = format!("is no expression: {}", resolved.shown);
            decoder.mistake(&node.place, predicate, Some("write it out here to be told what is wrong with it"));
        }
        None
    }
}

fn check(text: &str) -> Result<(), Fault> {
    Expression::read(text).map(drop).map_err(|_| Fault::new("is no expression", "see docs/routing.md"))
}
