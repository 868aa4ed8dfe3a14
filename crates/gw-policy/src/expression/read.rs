//! Reading an expression: what it says is checked as far as it can be without a request, and each thing that it names of
//! one becomes a single name in its tree, so that nothing else has to be shown to it.

use std::fmt::Write as _;

use cel::common::ast::operators::{ADD, CONDITIONAL, INDEX, LOGICAL_AND, LOGICAL_OR};
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::common::types::CelBool;
use cel::parser::{ParseErrors, PrattParser};

use super::words::{FUNCTIONS, Function, MACROS, MATCHES, Members, PATTERN, PRESENCE, ROOTS, Root, TURN, TYPES};
use super::{Expression, Mistake, Name, Pattern};
use crate::condition;

mod outcome;

/// Longer expressions are refused.
const BYTES_MAX: usize = 2_000;
/// Deeper expressions are refused.
const DEPTH_MAX: usize = 64;
/// How many macros may stand within each other.
const MACROS_MAX: usize = 3;

/// Reads an expression.
pub(super) fn read(text: &str) -> Result<Expression, Mistake> {
    if text.len() > BYTES_MAX {
        return Err(mistake(format!("it is longer than {BYTES_MAX} bytes"), "write several rules"));
    }
    // This one of the library's parsers bounds its recursion; the other overflows the stack.
    let parser = PrattParser::new().max_recursion_depth(32).error_recovery_limit(1);
    let mut tree = parser.parse(text).map_err(|errors| syntax(&errors))?;
    let mut reader = Reader::default();
    reader.look(&mut tree, 0)?;
    if let Some(other) = outcome::that_is_no_condition(&tree) {
        return Err(mistake(format!("it is {other}, and neither true nor false"), "compare it with something"));
    }
    Ok(Expression { text: Box::from(text), tree, names: reader.names, patterns: reader.patterns })
}

fn syntax(errors: &ParseErrors) -> Mistake {
    let Some(first) = errors.errors.first() else {
        return mistake("it cannot be read".to_owned(), "see docs/routing.md");
    };
    let (line, column) = first.pos;
    let said = first.msg.trim_start_matches("Syntax error: ").replace("'<EOF>'", "<EOF>").replace("<EOF>", "the end");
    let place = match (line, column) {
        (1.., 1..) => format!("line {line}, column {column} of it: "),
        _ => String::new(),
    };
    mistake(format!("{place}{said}"), "write something like request.model.startsWith(\"gpt-4\")")
}

fn mistake(what: String, help: &str) -> Mistake {
    Mistake { what, help: help.to_owned() }
}

#[derive(Default)]
struct Reader {
    names: Vec<Name>,
    patterns: Vec<Pattern>,
    /// The variables of the macros around.
    bound: Vec<String>,
    macros: usize,
}

impl Reader {
    /// Checks a tree, and puts single names into it.
    fn look(&mut self, tree: &mut IdedExpr, depth: usize) -> Result<(), Mistake> {
        if depth > DEPTH_MAX {
            return Err(mistake(format!("it is more than {DEPTH_MAX} levels deep"), "write several rules"));
        }
        if let Some(ident) = self.fact(tree)? {
            tree.expr = Expr::Ident(ident);
            return Ok(());
        }
        match &mut tree.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.check_name(name),
            Expr::Select(select) => self.look(&mut select.operand, depth + 1),
            Expr::Call(call) => self.look_at_call(call, depth),
            Expr::List(list) => list.elements.iter_mut().try_for_each(|one| self.look(one, depth + 1)),
            Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.look(&mut entry.key, depth + 1)?;
                    self.look(&mut entry.value, depth + 1)
                }
                EntryExpr::StructField(_) => Err(no_struct()),
            }),
            Expr::Comprehension(comprehension) => self.look_at_macro(comprehension, depth),
            Expr::Struct(_) => Err(no_struct()),
            Expr::Unspecified => Err(mistake("it is incomplete".to_owned(), "complete it")),
        }
    }

    /// What a tree is called in full, if it is what a request has.
    fn fact(&mut self, tree: &IdedExpr) -> Result<Option<String>, Mistake> {
        let Some((name, path)) = path_of(&tree.expr) else { return Ok(None) };
        let Some(root) = ROOTS.iter().find(|root| root.name == name && !self.is_bound(name)) else { return Ok(None) };
        let taken = match (&root.members, path.as_slice()) {
            (_, []) if root.is_whole => 0,
            (_, []) => return Err(mistake(format!("`{name}` is named without a member"), &members_of(root))),
            (Members::Known(known), [first, ..]) if !known.iter().any(|(one, _)| one == first) => {
                return Err(mistake(format!("there is no `{name}.{first}`"), &members_of(root)));
            }
            (Members::Known(_) | Members::Any, _) => 1,
            (Members::Path, path) => path.iter().take_while(|member| !member.contains('.')).count(),
        };
        if taken != path.len() || (taken == 0 && !path.is_empty()) {
            return Ok(None);
        }
        let is_presence = matches!(&tree.expr, Expr::Select(select) if select.test);
        let path = std::iter::once(name).chain(path).collect::<Vec<_>>().join(".");
        let ident = format!("{}{path}", if is_presence { PRESENCE } else { "" });
        if !self.names.iter().any(|name| *name.ident == ident) {
            self.names.push(Name { ident: ident.as_str().into(), path: path.into(), is_presence });
        }
        Ok(Some(ident))
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|bound| bound == name)
    }

    fn check_name(&self, name: &str) -> Result<(), Mistake> {
        if self.is_bound(name) || TYPES.contains(&name) {
            return Ok(());
        }
        let names: Vec<_> = ROOTS.iter().map(|root| root.name).collect();
        Err(mistake(format!("there is no `{name}`"), &format!("there are {}", names.join(", "))))
    }

    fn look_at_call(&mut self, call: &mut CallExpr, depth: usize) -> Result<(), Mistake> {
        // Operators have no names that could be written.
        if call.func_name.starts_with(char::is_alphabetic) {
            check_call(call)?;
        }
        if let Some(target) = &mut call.target {
            self.look(target, depth + 1)?;
        }
        if call.func_name == MATCHES {
            return call.args.iter_mut().try_for_each(|pattern| self.look_at_pattern(pattern));
        }
        call.args.iter_mut().try_for_each(|argument| self.look(argument, depth + 1))
    }

    /// Patterns are compiled here; what compiles them at each request could be made to take long.
    fn look_at_pattern(&mut self, tree: &mut IdedExpr) -> Result<(), Mistake> {
        let help = "write a regular expression in quotes, without look-around and back-references";
        let Expr::Literal(LiteralValue::String(text)) = &tree.expr else {
            return Err(mistake(format!("what `{MATCHES}` looks for is not written out"), help));
        };
        let pattern = condition::regex(text.inner()).map_err(|condition::Mistake(what)| mistake(what, help))?;
        tree.expr = Expr::Ident(format!("{PATTERN}{}", self.patterns.len()));
        self.patterns.push(Pattern(pattern));
        Ok(())
    }

    fn look_at_macro(&mut self, comprehension: &mut ComprehensionExpr, depth: usize) -> Result<(), Mistake> {
        self.look(&mut comprehension.iter_range, depth + 1)?;
        if self.macros == MACROS_MAX {
            let what = format!("more than {MACROS_MAX} macros stand within each other");
            return Err(mistake(what, "write several rules"));
        }
        self.macros += 1;
        let outer = self.bound.len();
        self.bound.extend([comprehension.iter_var.clone(), comprehension.accu_var.clone()]);
        self.bound.extend(comprehension.iter_var2.clone());
        let found = self.look(&mut comprehension.loop_step, depth + 1);
        self.bound.truncate(outer);
        self.macros -= 1;
        count_turns(&mut comprehension.loop_step);
        found
    }
}

/// The first name of `a.b["c"]`, and those behind it.
fn path_of(mut expr: &Expr) -> Option<(&str, Vec<&str>)> {
    let mut path = Vec::new();
    loop {
        match expr {
            Expr::Ident(name) => {
                path.reverse();
                return Some((name, path));
            }
            Expr::Select(select) => {
                path.push(select.field.as_str());
                expr = &select.operand.expr;
            }
            Expr::Call(CallExpr { func_name, args, .. }) if func_name == INDEX => {
                let [operand, index] = args.as_slice() else { return None };
                let Expr::Literal(LiteralValue::String(name)) = &index.expr else { return None };
                path.push(name.inner());
                expr = &operand.expr;
            }
            _ => return None,
        }
    }
}

fn members_of(root: &Root) -> String {
    match root.members {
        Members::Known(known) => {
            let mut help = "there are ".to_owned();
            for (index, (member, _)) in known.iter().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                let _ = write!(help, "{comma}{}.{member}", root.name);
            }
            help
        }
        Members::Any | Members::Path => format!("write {}.NAME or {}[\"NAME\"]", root.name, root.name),
    }
}

fn check_call(call: &CallExpr) -> Result<(), Mistake> {
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
        Ok(())
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

fn no_struct() -> Mistake {
    mistake("it makes an object of a type".to_owned(), "write a map, such as {\"name\": 1}")
}

/// Has each turn of a macro counted, in what the macro does with each item.
fn count_turns(step: &mut IdedExpr) {
    let Expr::Call(call) = &mut step.expr else { return };
    let counted = match (call.func_name.as_str(), call.args.as_mut_slice()) {
        (LOGICAL_AND | LOGICAL_OR, [_, condition]) | (CONDITIONAL, [condition, ..]) => Some(condition),
        (ADD, [_, IdedExpr { expr: Expr::List(list), .. }]) => list.elements.first_mut(),
        _ => None,
    };
    let Some(counted) = counted else { return };
    let turn = IdedExpr { id: counted.id, expr: Expr::Ident(TURN.to_owned()) };
    let never = IdedExpr { id: counted.id, expr: Expr::Literal(LiteralValue::Boolean(CelBool::from(false))) };
    let args = vec![turn, std::mem::take(counted), never];
    let func_name = CONDITIONAL.to_owned();
    *counted = IdedExpr { id: step.id, expr: Expr::Call(CallExpr { func_name, target: None, args }) };
}
