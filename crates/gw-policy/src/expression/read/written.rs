//! A part of an expression as it was written, near enough to be found, for explanations.

use cel::common::ast::operators::{CONDITIONAL, IN, INDEX};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

use crate::expression::words::{PRESENCE, TURN, WEIGHED};

/// Longer parts are cut.
const CHARS_MAX: usize = 60;

/// A part, cut to a length.
pub(super) fn written(tree: &IdedExpr) -> String {
    let text = whole(tree);
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// An operator, or the name of a function, as people write it.
pub(super) fn sign(name: &str) -> &str {
    match name {
        IN => "in",
        INDEX => "[…]",
        CONDITIONAL => "?",
        name => name.trim_matches('_'),
    }
}

/// The depth is that of what was read, which is bounded.
fn whole(tree: &IdedExpr) -> String {
    match &tree.expr {
        Expr::Ident(name) => match name.strip_prefix(PRESENCE) {
            Some(name) => format!("has({name})"),
            None => name.clone(),
        },
        Expr::Literal(literal) => of_literal(literal),
        Expr::Select(select) if select.test => format!("has({}.{})", whole(&select.operand), select.field),
        Expr::Select(select) => format!("{}.{}", whole(&select.operand), select.field),
        Expr::List(list) => format!("[{}]", list.elements.iter().map(whole).collect::<Vec<_>>().join(", ")),
        Expr::Call(call) => of_call(call),
        Expr::Map(_) => "{…}".to_owned(),
        Expr::Comprehension(comprehension) => format!("{}.…(…)", whole(&comprehension.iter_range)),
        Expr::Struct(_) | Expr::Unspecified => "…".to_owned(),
    }
}

fn of_call(call: &CallExpr) -> String {
    let CallExpr { func_name, target, args } = call;
    let arguments = || args.iter().map(whole).collect::<Vec<_>>().join(", ");
    match (func_name.as_str(), target, args.as_slice()) {
        (WEIGHED, _, [value, ..]) => whole(value),
        (CONDITIONAL, _, [turn, counted, _]) if matches!(&turn.expr, Expr::Ident(name) if name == TURN) => {
            whole(counted)
        }
        (CONDITIONAL, _, [asked, first, second]) => format!("{} ? {} : {}", whole(asked), whole(first), whole(second)),
        (INDEX, _, [all, index]) => format!("{}[{}]", whole(all), whole(index)),
        (name, Some(target), _) => format!("{}.{name}({})", whole(target), arguments()),
        (name, None, _) if name.starts_with(char::is_alphabetic) => format!("{name}({})", arguments()),
        (name, None, [operand]) => format!("{}{}", sign(name), whole(operand)),
        (name, None, [left, right]) => format!("{} {} {}", whole(left), sign(name), whole(right)),
        (name, None, _) => sign(name).to_owned(),
    }
}

fn of_literal(literal: &LiteralValue) -> String {
    match literal {
        LiteralValue::Boolean(flag) => flag.inner().to_string(),
        LiteralValue::Bytes(_) => "b\"…\"".to_owned(),
        LiteralValue::Double(number) => format!("{:?}", number.inner()),
        LiteralValue::Int(number) => number.inner().to_string(),
        LiteralValue::Null => "null".to_owned(),
        LiteralValue::String(text) => format!("{:?}", text.inner()),
        LiteralValue::UInt(number) => format!("{}u", number.inner()),
    }
}
