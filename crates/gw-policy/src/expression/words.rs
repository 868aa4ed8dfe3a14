//! What expressions may name, and which functions they may call.

/// What stands for a turn of a macro in the tree.
pub(super) const TURN: &str = "@turn";
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
    /// These alone, each with whether it is true or false.
    Known(&'static [(&'static str, bool)]),
    /// Any name.
    Any,
    /// Any names, one below the other.
    Path,
}

/// What there is of a request.
pub(super) const ROOTS: [Root; 5] = [
    Root { name: "request", members: Members::Known(&REQUEST), is_whole: false },
    Root { name: "metadata", members: Members::Any, is_whole: true },
    Root { name: "params", members: Members::Path, is_whole: false },
    Root { name: "headers", members: Members::Any, is_whole: false },
    Root { name: "time", members: Members::Known(&TIME), is_whole: false },
];

const REQUEST: [(&str, bool); 10] = [
    ("model", false),
    ("operation", false),
    ("path", false),
    ("stream", true),
    ("tags", false),
    ("batch_size", false),
    ("user", false),
    ("key", false),
    ("environment", false),
    ("has_tools", true),
];

const TIME: [(&str, bool); 3] = [("hour", false), ("minute", false), ("weekday", false)];

/// A function that expressions may call.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// How many arguments it has as `name(…)`, if it is called so.
    pub(super) plain: Option<usize>,
    /// How many arguments it has as `x.name(…)`, if it is called so.
    pub(super) member: Option<usize>,
    /// Whether it is true or false.
    pub(super) is_condition: bool,
}

/// All functions; the macros are none by the time that a tree is looked at.
pub(super) const FUNCTIONS: [Function; 11] = [
    Function { name: "size", plain: Some(1), member: Some(0), is_condition: false },
    Function { name: "contains", plain: None, member: Some(1), is_condition: true },
    Function { name: "startsWith", plain: None, member: Some(1), is_condition: true },
    Function { name: "endsWith", plain: None, member: Some(1), is_condition: true },
    Function { name: MATCHES, plain: None, member: Some(1), is_condition: true },
    Function { name: "int", plain: Some(1), member: None, is_condition: false },
    Function { name: "uint", plain: Some(1), member: None, is_condition: false },
    Function { name: "double", plain: Some(1), member: None, is_condition: false },
    Function { name: "string", plain: Some(1), member: None, is_condition: false },
    Function { name: "bool", plain: Some(1), member: None, is_condition: true },
    Function { name: "type", plain: Some(1), member: None, is_condition: false },
];

/// The function whose argument is a pattern.
pub(super) const MATCHES: &str = "matches";

/// The macros, for explanations.
pub(super) const MACROS: [&str; 6] = ["has", "all", "exists", "exists_one", "map", "filter"];
