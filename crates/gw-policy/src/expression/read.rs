//! Reading an expression: what it says is checked as far as it can be without a request, and each thing that it names of
//! one becomes a single name in its tree, so that nothing else has to be shown to it.

use cel::common::ast::operators::{ADD, CONDITIONAL, INDEX, LOGICAL_AND, LOGICAL_OR};
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::common::types::CelBool;
use cel::parser::{ParseErrors, PrattParser};

use super::kind::Kind;
use super::pattern::Pattern;
use super::words::{BUDGET, MATCHES, Members, PATTERN, PRESENCE, ROOTS, TURN, TYPES, WEIGHED};
use super::{Expression, Mistake, Name};
use crate::condition;

mod names;
mod operate;
mod written;

/// Longer expressions are refused.
const BYTES_MAX: usize = 2_000;
/// Deeper expressions are refused.
const DEPTH_MAX: usize = 64;
/// How deep brackets, calls and operators may stand within each other where the text is read.
const NESTED_MAX: u16 = 32;
/// How many mistakes the parser looks for; the first is told.
const ERRORS_MAX: u32 = 2;
/// How many macros may stand within each other.
const MACROS_MAX: usize = 3;
/// What does not look at the whole of its operands.
const UNWEIGHED: [&str; 5] = [INDEX, CONDITIONAL, LOGICAL_AND, LOGICAL_OR, "type"];

/// Reads an expression.
pub(super) fn read(text: &str) -> Result<Expression, Mistake> {
    if text.len() > BYTES_MAX {
        return Err(mistake(format!("it is longer than {BYTES_MAX} bytes"), "write several rules"));
    }
    // This one of the library's parsers bounds its recursion; the other overflows the stack.
    let parser = PrattParser::new().max_recursion_depth(NESTED_MAX).error_recovery_limit(ERRORS_MAX);
    let mut tree = parser.parse(text).map_err(|errors| syntax(&errors))?;
    let mut reader = Reader::default();
    let kind = reader.look(&mut tree, 0)?;
    is_condition(&tree, kind)?;
    Ok(Expression { text: Box::from(text), tree, names: reader.names, patterns: reader.patterns })
}

/// That what comes of it may be true or false, whichever side of a `?` it is.
fn is_condition(tree: &IdedExpr, kind: Kind) -> Result<(), Mistake> {
    if kind.may_be(&[Kind::Truth]) {
        return Ok(());
    }
    let what = format!("`{}` is {}, and neither true nor false", written::written(tree), kind.name());
    Err(mistake(what, "compare it with something"))
}

fn syntax(errors: &ParseErrors) -> Mistake {
    let said = |words: &str| errors.errors.iter().any(|error| error.msg.contains(words));
    if said("recursion limit exceeded") {
        let what = format!("brackets, calls and operators stand more than {NESTED_MAX} deep within each other");
        return mistake(what, "write several rules");
    }
    // What the parser says of itself helps nobody.
    let Some(first) = errors.errors.iter().find(|error| !error.msg.contains("recovery attempt limit")) else {
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
    /// Checks a tree, and puts single names into it. What comes of it.
    fn look(&mut self, tree: &mut IdedExpr, depth: usize) -> Result<Kind, Mistake> {
        if depth > DEPTH_MAX {
            return Err(mistake(format!("it is more than {DEPTH_MAX} levels deep"), "write several rules"));
        }
        if let Some((ident, kind)) = self.fact(tree)? {
            tree.expr = Expr::Ident(ident);
            return Ok(kind);
        }
        match &mut tree.expr {
            Expr::Literal(literal) => Ok(operate::of_literal(literal)),
            Expr::Ident(name) => self.check_name(name),
            Expr::Select(select) => {
                let kind = self.look(&mut select.operand, depth + 1)?;
                operate::has_members(&select.operand, kind)?;
                Ok(if select.test { Kind::Truth } else { Kind::Unknown })
            }
            Expr::Call(call) => self.look_at_call(call, depth),
            Expr::List(list) => {
                list.elements.iter_mut().try_for_each(|one| self.look(one, depth + 1).map(drop))?;
                Ok(Kind::List)
            }
            Expr::Map(map) => {
                map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
                    EntryExpr::MapEntry(entry) => {
                        self.look(&mut entry.key, depth + 1)?;
                        self.look(&mut entry.value, depth + 1).map(drop)
                    }
                    EntryExpr::StructField(_) => Err(no_struct()),
                })?;
                Ok(Kind::Object)
            }
            Expr::Comprehension(comprehension) => self.look_at_macro(comprehension, depth),
            Expr::Struct(_) => Err(no_struct()),
            Expr::Unspecified => Err(mistake("it is incomplete".to_owned(), "complete it")),
        }
    }

    /// What a tree is called in full, and what it is, if it is what a request has.
    fn fact(&mut self, tree: &IdedExpr) -> Result<Option<(String, Kind)>, Mistake> {
        let Some((name, path)) = path_of(&tree.expr) else { return Ok(None) };
        let Some(root) = ROOTS.iter().find(|root| root.name == name && !self.is_bound(name)) else { return Ok(None) };
        let taken = match (&root.members, path.as_slice()) {
            (_, []) if root.is_whole => 0,
            (_, []) => return Err(mistake(format!("`{name}` is named without a member"), &names::members_of(root))),
            (Members::Known(known), [first, ..]) if !known.iter().any(|(one, _)| one == first) => {
                return Err(mistake(format!("there is no `{name}.{first}`"), &names::members_of(root)));
            }
            (Members::Known(_) | Members::Any(_), _) => 1,
            (Members::Path, path) => path.iter().take_while(|member| !member.contains('.')).count(),
        };
        if taken != path.len() || (taken == 0 && !path.is_empty()) {
            return Ok(None);
        }
        let kind = match (&root.members, path.as_slice()) {
            (_, []) => Kind::Object,
            (Members::Known(known), [first, ..]) => {
                known.iter().find(|(one, _)| one == first).map_or(Kind::Unknown, |(_, kind)| *kind)
            }
            (Members::Any(kind), _) => *kind,
            (Members::Path, _) => Kind::Unknown,
        };
        let is_presence = matches!(&tree.expr, Expr::Select(select) if select.test);
        let path = std::iter::once(name).chain(path).collect::<Vec<_>>().join(".");
        let ident = format!("{}{path}", if is_presence { PRESENCE } else { "" });
        if !self.names.iter().any(|name| *name.ident == ident) {
            self.names.push(Name { ident: ident.as_str().into(), path: path.into(), is_presence });
        }
        Ok(Some((ident, if is_presence { Kind::Truth } else { kind })))
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|bound| bound == name)
    }

    fn check_name(&self, name: &str) -> Result<Kind, Mistake> {
        if self.is_bound(name) {
            return Ok(Kind::Unknown);
        }
        if TYPES.contains(&name) {
            return Ok(Kind::Type);
        }
        let names: Vec<_> = ROOTS.iter().map(|root| root.name).collect();
        Err(mistake(format!("there is no `{name}`"), &format!("there are {}", names.join(", "))))
    }

    fn look_at_call(&mut self, call: &mut CallExpr, depth: usize) -> Result<Kind, Mistake> {
        if let Some(IdedExpr { expr: Expr::Ident(name), .. }) = call.target.as_deref()
            && !ROOTS.iter().any(|root| root.name == name)
        {
            self.check_name(name)?;
        }
        // Operators have no names that could be written.
        let is_named = call.func_name.starts_with(char::is_alphabetic);
        let function = if is_named { Some(names::function_of(call)?) } else { None };
        let is_pattern = call.func_name == MATCHES;
        let mut kinds = Vec::with_capacity(2);
        if let Some(target) = &mut call.target {
            kinds.push(self.look(target, depth + 1)?);
        }
        if is_pattern {
            call.args.iter_mut().try_for_each(|pattern| self.look_at_pattern(pattern))?;
        } else {
            for argument in &mut call.args {
                kinds.push(self.look(argument, depth + 1)?);
            }
        }
        let kind = match function {
            Some(function) => operate::function(function, call, &kinds)?,
            None => operate::operator(call, &kinds)?,
        };
        if is_pattern {
            call.args.push(ident(BUDGET));
        } else if !UNWEIGHED.contains(&call.func_name.as_str()) {
            call.target.as_deref_mut().into_iter().chain(&mut call.args).for_each(|operand| self.weigh(operand));
        }
        Ok(kind)
    }

    /// Has the steps of what a macro's variable holds taken where something is done with it: how large that is, only a
    /// request tells.
    fn weigh(&self, tree: &mut IdedExpr) {
        if !path_of(&tree.expr).is_some_and(|(name, _)| self.is_bound(name) && !name.starts_with('@')) {
            return;
        }
        let id = tree.id;
        let args = vec![std::mem::take(tree), ident(BUDGET)];
        *tree = IdedExpr { id, expr: Expr::Call(CallExpr { func_name: WEIGHED.to_owned(), target: None, args }) };
    }

    /// Patterns are compiled here; what compiles them at each request could be made to take long.
    fn look_at_pattern(&mut self, tree: &mut IdedExpr) -> Result<(), Mistake> {
        let help = "write a regular expression in quotes, without look-around and back-references";
        let Expr::Literal(LiteralValue::String(text)) = &tree.expr else {
            return Err(mistake(format!("what `{MATCHES}` looks for is not written out"), help));
        };
        let pattern = Pattern::read(text.inner()).map_err(|condition::Mistake(what)| mistake(what, help))?;
        tree.expr = Expr::Ident(format!("{PATTERN}{}", self.patterns.len()));
        self.patterns.push(pattern);
        Ok(())
    }

    fn look_at_macro(&mut self, comprehension: &mut ComprehensionExpr, depth: usize) -> Result<Kind, Mistake> {
        let kind = self.look(&mut comprehension.iter_range, depth + 1)?;
        operate::has_items(&comprehension.iter_range, kind)?;
        self.weigh(&mut comprehension.iter_range);
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
        found?;
        Ok(if matches!(comprehension.accu_init.expr, Expr::List(_)) { Kind::List } else { Kind::Truth })
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

/// What is resolved by a name of ours.
fn ident(name: &str) -> IdedExpr {
    IdedExpr { id: 0, expr: Expr::Ident(name.to_owned()) }
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
    let never = IdedExpr { id: counted.id, expr: Expr::Literal(LiteralValue::Boolean(CelBool::from(false))) };
    let args = vec![ident(TURN), std::mem::take(counted), never];
    let func_name = CONDITIONAL.to_owned();
    *counted = IdedExpr { id: step.id, expr: Expr::Call(CallExpr { func_name, target: None, args }) };
}
