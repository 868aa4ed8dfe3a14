//! Which values operators and functions take, as far as it is known before there is a request: what can never fit is a
//! mistake of who wrote it.

use cel::common::ast::operators::{
    ADD, CONDITIONAL, DIVIDE, EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS, LOGICAL_AND, LOGICAL_NOT,
    LOGICAL_OR, MODULO, MULTIPLY, NEGATE, NOT_EQUALS, SUBSTRACT,
};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

use super::written::{sign, written};
use super::{Mistake, mistake};
use crate::expression::kind::Kind;
use crate::expression::words::Function;

const NUMBERS: [Kind; 3] = [Kind::Int, Kind::Uint, Kind::Double];
const ORDERED: [Kind; 6] = [Kind::Int, Kind::Uint, Kind::Double, Kind::Text, Kind::Bytes, Kind::Truth];
const ADDED: [Kind; 6] = [Kind::Int, Kind::Uint, Kind::Double, Kind::Text, Kind::Bytes, Kind::List];

/// What a value is that is written out.
pub(super) fn of_literal(literal: &LiteralValue) -> Kind {
    match literal {
        LiteralValue::Boolean(_) => Kind::Truth,
        LiteralValue::Bytes(_) => Kind::Bytes,
        LiteralValue::Double(_) => Kind::Double,
        LiteralValue::Int(_) => Kind::Int,
        LiteralValue::Null => Kind::Null,
        LiteralValue::String(_) => Kind::Text,
        LiteralValue::UInt(_) => Kind::Uint,
    }
}

/// What comes of an operator whose operands are of these kinds.
///
/// # Errors
/// That it takes none of a kind.
pub(super) fn operator(call: &CallExpr, kinds: &[Kind]) -> Result<Kind, Mistake> {
    match (call.func_name.as_str(), call.args.as_slice(), kinds) {
        (LOGICAL_NOT | LOGICAL_AND | LOGICAL_OR, operands, kinds) => {
            operands.iter().zip(kinds).try_for_each(|(operand, kind)| takes(call, operand, *kind, &[Kind::Truth]))?;
            Ok(Kind::Truth)
        }
        (CONDITIONAL, [condition, ..], [asked, first, second]) => {
            takes(call, condition, *asked, &[Kind::Truth])?;
            if first.may_compare(*second) {
                return Ok(first.or(*second));
            }
            let what = format!("`{} ? … : …` is {} or {}", written(condition), first.name(), second.name());
            Err(mistake(what, "write values of one kind on both sides of the `:`"))
        }
        (EQUALS | NOT_EQUALS, _, [left, right]) => compared(call, *left, *right),
        (LESS | LESS_EQUALS | GREATER | GREATER_EQUALS, [one, other], [left, right]) => {
            takes(call, one, *left, &ORDERED)?;
            takes(call, other, *right, &ORDERED)?;
            compared(call, *left, *right)
        }
        (ADD, [one, other], [left, right]) => alike(call, [(one, *left), (other, *right)], &ADDED),
        (SUBSTRACT | MULTIPLY | DIVIDE, [one, other], [left, right]) => {
            alike(call, [(one, *left), (other, *right)], &NUMBERS)
        }
        (MODULO, [one, other], [left, right]) => alike(call, [(one, *left), (other, *right)], &[Kind::Int, Kind::Uint]),
        (NEGATE, [operand], [kind]) => takes(call, operand, *kind, &[Kind::Int, Kind::Double]).map(|()| *kind),
        (IN, [_, all], [sought, kind]) => {
            takes(call, all, *kind, &[Kind::List, Kind::Object])?;
            items(all).try_for_each(|item| compared(call, *sought, item).map(drop))?;
            Ok(Kind::Truth)
        }
        (INDEX, [all, index], [kind, at]) => {
            takes(call, all, *kind, &[Kind::List, Kind::Object])?;
            if *kind == Kind::List {
                takes(call, index, *at, &NUMBERS)?;
            }
            Ok(Kind::Unknown)
        }
        _ => Ok(Kind::Unknown),
    }
}

/// What comes of a function whose arguments, what it is called on first, are of these kinds.
///
/// # Errors
/// That it takes none of a kind.
pub(super) fn function(function: &Function, call: &CallExpr, kinds: &[Kind]) -> Result<Kind, Mistake> {
    let arguments = call.target.as_deref().into_iter().chain(&call.args);
    arguments.zip(kinds).try_for_each(|(argument, kind)| takes(call, argument, *kind, function.takes))?;
    Ok(function.kind)
}

/// That a value is, or may be, what is called a name of.
pub(super) fn has_members(operand: &IdedExpr, kind: Kind) -> Result<(), Mistake> {
    if kind.may_be(&[Kind::Object]) {
        return Ok(());
    }
    Err(mistake(format!("`{}` is {}, which has no members", written(operand), kind.name()), "leave them out"))
}

/// That a value is, or may be, one that macros go through.
pub(super) fn has_items(range: &IdedExpr, kind: Kind) -> Result<(), Mistake> {
    if kind.may_be(&[Kind::List, Kind::Object]) {
        return Ok(());
    }
    Err(mistake(format!("`{}` is {}, which has no items", written(range), kind.name()), "name a list"))
}

/// What is known of the items of a list that is written out.
fn items(tree: &IdedExpr) -> impl Iterator<Item = Kind> {
    let items = if let Expr::List(list) = &tree.expr { list.elements.as_slice() } else { &[] };
    items.iter().filter_map(|item| match &item.expr {
        Expr::Literal(literal) => Some(of_literal(literal)),
        _ => None,
    })
}

fn takes(call: &CallExpr, operand: &IdedExpr, kind: Kind, wanted: &[Kind]) -> Result<(), Mistake> {
    if kind.may_be(wanted) {
        return Ok(());
    }
    let mut names: Vec<_> = wanted.iter().map(|kind| kind.name()).collect();
    let last = names.pop().unwrap_or_default();
    let wanted = if names.is_empty() { last.to_owned() } else { format!("{} or {last}", names.join(", ")) };
    let what = format!("`{}` is {}, and `{}` takes {wanted}", written(operand), kind.name(), sign(&call.func_name));
    Err(mistake(what, "compare it with something, or convert it: int(x), string(x)"))
}

/// Both of a kind that the operator takes, as numbers are not converted into each other.
fn alike(call: &CallExpr, operands: [(&IdedExpr, Kind); 2], wanted: &[Kind]) -> Result<Kind, Mistake> {
    for (operand, kind) in operands {
        takes(call, operand, kind, wanted)?;
    }
    let [(_, left), (_, right)] = operands;
    match (left, right) {
        (Kind::Unknown, known) | (known, Kind::Unknown) => Ok(known),
        (left, right) if left == right => Ok(left),
        (left, right) => Err(unlike(call, left, right, "convert one: int(x), double(x), string(x)")),
    }
}

fn compared(call: &CallExpr, left: Kind, right: Kind) -> Result<Kind, Mistake> {
    if left.may_compare(right) {
        return Ok(Kind::Truth);
    }
    let help = if left == Kind::Null || right == Kind::Null {
        "ask has(x) for whether something is there"
    } else {
        "compare what is alike, or convert it: int(x), string(x)"
    };
    Err(unlike(call, left, right, help))
}

fn unlike(call: &CallExpr, left: Kind, right: Kind, help: &str) -> Mistake {
    let place: Vec<_> = call.args.iter().map(written).collect();
    let sign = sign(&call.func_name);
    let place = place.join(&format!(" {sign} "));
    mistake(format!("in `{place}`, {} and {} stand on the sides of `{sign}`", left.name(), right.name()), help)
}
