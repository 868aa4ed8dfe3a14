//! What comes of an expression, as far as it shows before there is a request.

use cel::common::ast::operators::{ADD, CONDITIONAL, DIVIDE, MODULO, MULTIPLY, NEGATE, SUBSTRACT};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

use crate::expression::words::{FUNCTIONS, Members, ROOTS};

/// What comes of it, if that is neither true nor false.
pub(super) fn that_is_no_condition(tree: &IdedExpr) -> Option<&'static str> {
    match &tree.expr {
        Expr::Literal(LiteralValue::Boolean(_)) => None,
        Expr::Literal(LiteralValue::String(_)) => Some("a text"),
        Expr::Literal(_) => Some("a value"),
        Expr::List(_) => Some("a list"),
        Expr::Map(_) => Some("an object"),
        Expr::Comprehension(comprehension) => match &comprehension.accu_init.expr {
            Expr::List(_) => Some("a list"),
            _ => None,
        },
        Expr::Call(call) => of_call(call),
        Expr::Ident(name) => of_name(name),
        Expr::Select(_) | Expr::Struct(_) | Expr::Unspecified => None,
    }
}

fn of_call(call: &CallExpr) -> Option<&'static str> {
    match call.func_name.as_str() {
        CONDITIONAL => call.args.iter().skip(1).find_map(that_is_no_condition),
        ADD | SUBSTRACT | MULTIPLY | DIVIDE | MODULO | NEGATE => Some("a value"),
        name => {
            let function = FUNCTIONS.iter().find(|function| function.name == name)?;
            (!function.is_condition).then_some("a value")
        }
    }
}

fn of_name(name: &str) -> Option<&'static str> {
    let Some((first, member)) = name.split_once('.') else {
        return ROOTS.iter().any(|root| root.name == name).then_some("an object");
    };
    let root = ROOTS.iter().find(|root| root.name == first)?;
    let Members::Known(known) = root.members else { return None };
    known.iter().any(|(name, is_condition)| *name == member && !is_condition).then_some("a value")
}
