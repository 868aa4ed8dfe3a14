//! What expressions may name, and which functions they may call.

use super::kind::Kind;

/// What stands for a turn of a macro in the tree.
pub(super) const TURN: &str = "@turn";
/// What stands for the budget in the tree.
pub(super) const BUDGET: &str = "@budget";
/// The function in the tree that takes the steps of a value, and gives it on.
pub(super) const WEIGHED: &str = "@weighed";
/// What stands for a pattern in the tree, with its number.
pub(super) const PATTERN: &str = "@pattern";
/// What stands before a name in the tree that is only asked for whether it is there.
pub(super) const PRESENCE: &str = "?";

/// The names of types, for `type(x) == list`.
pub(super) const TYPES: [&str; 8] = ["bool", "double", "int", "list", "map", "null_type", "string", "uint"];

/// A name that expressions begin with.
pub(super) struct Root {
    pub(super) name: &'static str,
    pub(super) members: Members,
    /// Whether it may stand alone.
    pub(super) is_whole: bool,
}

/// What may follow a name.
pub(super) enum Members {
    /// These alone, each with what it is.
    Known(&'static [(&'static str, Kind)]),
    /// Any name, each of which is of this kind.
    Any(Kind),
    /// Any names, one below the other.
    Path,
}

/// What there is of a request.
pub(super) const ROOTS: [Root; 5] = [
    Root { name: "request", members: Members::Known(&REQUEST), is_whole: false },
    Root { name: "metadata", members: Members::Any(Kind::Unknown), is_whole: true },
    Root { name: "params", members: Members::Path, is_whole: false },
    Root { name: "headers", members: Members::Any(Kind::Text), is_whole: false },
    Root { name: "time", members: Members::Known(&TIME), is_whole: false },
];

const REQUEST: [(&str, Kind); 10] = [
    ("model", Kind::Text),
    ("operation", Kind::Text),
    ("path", Kind::Text),
    ("stream", Kind::Truth),
    ("tags", Kind::List),
    ("batch_size", Kind::Int),
    // Whatever the client wrote there.
    ("user", Kind::Unknown),
    ("key", Kind::Text),
    ("environment", Kind::Text),
    ("has_tools", Kind::Truth),
];

const TIME: [(&str, Kind); 3] = [("hour", Kind::Int), ("minute", Kind::Int), ("weekday", Kind::Int)];

/// What has a size.
const SIZED: &[Kind] = &[Kind::Text, Kind::Bytes, Kind::List, Kind::Object];
/// What can be made a number.
const NUMBERED: &[Kind] = &[Kind::Int, Kind::Uint, Kind::Double, Kind::Text];
/// What can be made a text.
const WRITTEN: &[Kind] = &[Kind::Truth, Kind::Int, Kind::Uint, Kind::Double, Kind::Text, Kind::Bytes];
const ANY: &[Kind] = &[
    Kind::Truth,
    Kind::Int,
    Kind::Uint,
    Kind::Double,
    Kind::Text,
    Kind::Bytes,
    Kind::List,
    Kind::Object,
    Kind::Null,
    Kind::Type,
];

/// A function that expressions may call.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// How many arguments it has as `name(…)`, if it is called so.
    pub(super) plain: Option<usize>,
    /// How many arguments it has as `x.name(…)`, if it is called so.
    pub(super) member: Option<usize>,
    /// What it takes as each of its arguments, what it is called on first.
    pub(super) takes: &'static [Kind],
    /// What comes of it.
    pub(super) kind: Kind,
}

/// All functions; the macros are none by the time that a tree is looked at.
pub(super) const FUNCTIONS: [Function; 11] = [
    Function { name: "size", plain: Some(1), member: Some(0), takes: SIZED, kind: Kind::Int },
    Function { name: "contains", plain: None, member: Some(1), takes: &[Kind::Text], kind: Kind::Truth },
    Function { name: "startsWith", plain: None, member: Some(1), takes: &[Kind::Text], kind: Kind::Truth },
    Function { name: "endsWith", plain: None, member: Some(1), takes: &[Kind::Text], kind: Kind::Truth },
    Function { name: MATCHES, plain: None, member: Some(1), takes: &[Kind::Text], kind: Kind::Truth },
    Function { name: "int", plain: Some(1), member: None, takes: NUMBERED, kind: Kind::Int },
    Function { name: "uint", plain: Some(1), member: None, takes: NUMBERED, kind: Kind::Uint },
    Function { name: "double", plain: Some(1), member: None, takes: NUMBERED, kind: Kind::Double },
    Function { name: "string", plain: Some(1), member: None, takes: WRITTEN, kind: Kind::Text },
    Function { name: "bool", plain: Some(1), member: None, takes: &[Kind::Truth, Kind::Text], kind: Kind::Truth },
    Function { name: "type", plain: Some(1), member: None, takes: ANY, kind: Kind::Type },
];

/// The function whose argument is a pattern.
pub(super) const MATCHES: &str = "matches";

/// The macros, for explanations.
pub(super) const MACROS: [&str; 6] = ["has", "all", "exists", "exists_one", "map", "filter"];
