//! Names that expressions may use, and what to say of others.

use std::fmt::Write as _;

use cel::common::ast::CallExpr;

use super::{Mistake, mistake};
use crate::expression::words::{FUNCTIONS, Function, MACROS, Members, Root};

/// What there is of a root, for explanations.
pub(super) fn members_of(root: &Root) -> String {
    match root.members {
        Members::Known(known) => {
            let mut help = "there are ".to_owned();
            for (index, (member, _)) in known.iter().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                let _ = write!(help, "{comma}{}.{member}", root.name);
            }
            help
        }
        Members::Any(_) | Members::Path => format!("write {}.NAME or {}[\"NAME\"]", root.name, root.name),
    }
}

/// The function that is called.
///
/// # Errors
/// That there is none of this name, or that it is not called so.
pub(super) fn function_of(call: &CallExpr) -> Result<&'static Function, Mistake> {
    let name = &call.func_name;
    let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
        if MACROS.contains(&name.as_str()) {
            return Err(mistake(format!("`{name}` is not called so"), "write has(x.y), or x.all(one, …) and the like"));
        }
        let names: Vec<_> = FUNCTIONS.iter().map(|function| function.name).chain(MACROS).collect();
        return Err(mistake(format!("there is no function `{name}`"), &format!("there are {}", names.join(", "))));
    };
    let wanted = if call.target.is_some() { function.member } else { function.plain };
    if wanted == Some(call.args.len()) {
        Ok(function)
    } else {
        Err(mistake(format!("`{name}` is not called so"), &use_of(function)))
    }
}

fn use_of(function: &Function) -> String {
    let Function { name, .. } = function;
    let ways = [
        function.plain.map(|_| format!("{name}(x)")),
        function.member.map(|count| format!("x.{name}({})", if count == 0 { "" } else { "y" })),
    ];
    format!("write {}", ways.into_iter().flatten().collect::<Vec<_>>().join(" or "))
}
