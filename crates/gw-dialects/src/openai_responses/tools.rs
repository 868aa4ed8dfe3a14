//! Tools and the choice among them, in both directions.
//!
//! What functions have here and nowhere else (`defer_loading`, namespaces) is kept among the request's extra members
//! under `tools[].{member}`: a dialect of another family tells it as a loss, and this one puts it back.

use std::borrow::Cow;

use gw_core::Error;
use gw_core::chat::{BuiltIn, BuiltInTool, ChatRequest, CustomTool, Family, Function, Loss, Tool, ToolChoice};
use serde_json::{Value, json};

use super::read::{Node, Object, text};
use super::{FAMILY, NAME_RULE, UNTYPED};
use crate::shared::losses::Losses;
use crate::shared::search::{self, SearchOptions};

/// Where members of functions stand among the extra members.
pub(super) const EXTRA: &str = "tools[].";
const NAMESPACES: &str = "tools[].namespace";

/// The name of a function, flattened.
pub(super) fn flat<'a>(namespace: Option<&str>, name: &'a str) -> Cow<'a, str> {
    match namespace {
        Some(namespace) if !namespace.is_empty() => Cow::Owned(format!("{namespace}__{name}")),
        _ => Cow::Borrowed(name),
    }
}

/// The tools of a request. What no word of ours stands for goes to `extra`.
pub(super) fn decode(top: &Node<'_>, extra: &mut Object) -> Result<Vec<Tool>, Error> {
    let mut tools = Vec::new();
    for node in top.objects("tools")? {
        if node.required("type")? != "namespace" || !has_functions(&node) {
            tools.push(tool(&node, None, extra)?);
            continue;
        }
        let namespace = node.required("name")?;
        let mut names = Vec::new();
        for inner in node.objects("tools")? {
            names.push(inner.required("name")?);
            tools.push(tool(&inner, Some(namespace), extra)?);
        }
        let mut about = node.object.clone();
        about.insert("tools".to_owned(), json!(names));
        if let Value::Array(known) = extra.entry(NAMESPACES).or_insert_with(|| json!([])) {
            known.push(Value::Object(about));
        }
    }
    Ok(tools)
}

/// Whether the tools in a namespace can stand by themselves. One without any, or with such as functions are not, is known
/// to the provider alone.
fn has_functions(namespace: &Node<'_>) -> bool {
    let is_function = |tool: &Value| matches!(text(tool, "type"), "function" | "custom");
    match namespace.get("tools") {
        Some(Value::Array(tools)) => !tools.is_empty() && tools.iter().all(is_function),
        _ => false,
    }
}

fn tool(node: &Node<'_>, namespace: Option<&str>, extra: &mut Object) -> Result<Tool, Error> {
    let kind = node.required("type")?;
    let read: &[&str] = match kind {
        "function" => &["type", "name", "description", "parameters", "strict"],
        "custom" => &["type", "name", "description", "format"],
        _ => return Ok(Tool::BuiltIn(built_in(kind, node.object))),
    };
    let name = flat(namespace, node.required("name")?).into_owned();
    for (member, value) in node.object {
        if read.contains(&member.as_str()) || value.is_null() {
            continue;
        }
        if let Value::Object(by_name) = extra.entry(format!("{EXTRA}{member}")).or_insert_with(|| json!({})) {
            by_name.insert(name.clone(), value.clone());
        }
    }
    let description = node.string("description")?.map(str::to_owned);
    if kind == "custom" {
        return Ok(Tool::Custom(CustomTool {
            name,
            description,
            format: node.get("format").cloned(),
            ..CustomTool::default()
        }));
    }
    let parameters = node.object("parameters")?.map(|schema| Value::Object(schema.object.clone()));
    let strict = node.bool("strict")?;
    Ok(Tool::Function(Function { name, description, parameters, strict, ..Function::default() }))
}

fn built_in(kind: &str, tool: &Object) -> BuiltInTool {
    let kind = match kind {
        web if web.starts_with("web_search") => BuiltIn::WebSearch,
        "code_interpreter" => BuiltIn::CodeExecution,
        _ => BuiltIn::Other,
    };
    BuiltInTool { kind, family: FAMILY, value: Value::Object(tool.clone()) }
}

/// Which tools must be called. A choice of what only this family has goes to `extra` as it is.
pub(super) fn decode_choice(top: &Node<'_>, extra: &mut Object) -> Result<Option<ToolChoice>, Error> {
    let wanted = "\"auto\", \"none\", \"required\", or an object with a type";
    let Some(value) = top.get("tool_choice") else { return Ok(None) };
    if let Some(word) = value.as_str() {
        return match word {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" => Ok(Some(ToolChoice::Required)),
            _ => Err(top.wrong("tool_choice", wanted)),
        };
    }
    let node = top.object("tool_choice").map_err(|_| top.wrong("tool_choice", wanted))?;
    let Some(node) = node else { return Ok(None) };
    let named = |node: &Node<'_>| Ok::<_, Error>(flat(node.string("namespace")?, node.required("name")?).into_owned());
    match node.required("type")? {
        "function" => return Ok(Some(ToolChoice::Function(named(&node)?))),
        "custom" => return Ok(Some(ToolChoice::Custom(named(&node)?))),
        "allowed_tools" => {
            let tools = node.objects("tools")?;
            let is_named =
                |tool: &Node<'_>| matches!(tool.get("type").and_then(Value::as_str), Some("function" | "custom"));
            if tools.iter().all(is_named) {
                let names = tools.iter().map(named).collect::<Result<_, _>>()?;
                return Ok(Some(ToolChoice::Allowed { required: node.string("mode")? == Some("required"), names }));
            }
        }
        _ => {}
    }
    extra.insert("tool_choice".to_owned(), value.clone());
    Ok(None)
}

/// How tools are named towards a provider or a client of this dialect.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Namespaces as they were declared, `tools` being the names in them.
    namespaces: Vec<Object>,
}

impl Names {
    pub(super) fn of(request: &ChatRequest) -> Self {
        let declared = match request.extra.members.get(NAMESPACES) {
            Some(Value::Array(declared)) if request.extra.family == FAMILY => declared.as_slice(),
            _ => &[],
        };
        Self { namespaces: declared.iter().filter_map(Value::as_object).cloned().collect() }
    }

    /// The namespace of a flattened name, and the name in it.
    pub(super) fn split<'a>(&self, name: &'a str) -> Option<(&str, &'a str)> {
        self.namespaces.iter().find_map(|declared| {
            let namespace = declared.get("name")?.as_str()?;
            let inner = name.strip_prefix(namespace)?.strip_prefix("__")?;
            declared
                .get("tools")?
                .as_array()?
                .iter()
                .any(|tool| tool.as_str() == Some(inner))
                .then_some((namespace, inner))
        })
    }

    /// Writes a tool's name into an item or a choice.
    pub(super) fn write(&self, object: &mut Value, name: &str) {
        match self.split(name) {
            Some((namespace, inner)) => {
                object["namespace"] = Value::from(namespace);
                object["name"] = Value::from(inner);
            }
            None => object["name"] = Value::from(NAME_RULE.fit(name)),
        }
    }

    /// Writes a tool's name as the client knows it.
    pub(super) fn write_for_client(&self, object: &mut Value, name: &str) {
        match self.split(name) {
            Some(_) => self.write(object, name),
            None => object["name"] = Value::from(name),
        }
    }

    /// The tools of a request as this dialect writes them.
    pub(super) fn tools(&self, request: &ChatRequest, losses: &mut Losses) -> Vec<Value> {
        let mut tools: Vec<Value> = Vec::new();
        for tool in &request.tools {
            let Some(mut written) = write(tool, losses) else { continue };
            let Some(name) = tool.name() else {
                tools.push(written);
                continue;
            };
            put_back(&mut written, name, request);
            let Some((namespace, inner)) = self.split(name) else {
                written["name"] = Value::from(NAME_RULE.fit(name));
                tools.push(written);
                continue;
            };
            written["name"] = Value::from(inner);
            let is_it = |tool: &&mut Value| tool["type"] == "namespace" && tool["name"] == namespace;
            if let Some(list) = tools.iter_mut().find(is_it).and_then(|tool| tool["tools"].as_array_mut()) {
                list.push(written);
            } else if let Some(declared) = self.namespaces.iter().find(|declared| declared["name"] == namespace) {
                let mut declared = declared.clone();
                declared.insert("tools".to_owned(), json!([written]));
                tools.push(Value::Object(declared));
            }
        }
        tools
    }

    /// The choice among tools as this dialect writes it.
    pub(super) fn choice(&self, choice: &ToolChoice, request: &ChatRequest) -> Value {
        let named = |kind: &str, name: &str| {
            let mut object = json!({"type": kind});
            self.write(&mut object, name);
            object
        };
        match choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::None => json!("none"),
            ToolChoice::Required => json!("required"),
            ToolChoice::Function(name) => named("function", name),
            ToolChoice::Custom(name) => named("custom", name),
            ToolChoice::Allowed { required, names } => {
                let is_custom = |name: &str| {
                    request.tools.iter().any(|tool| matches!(tool, Tool::Custom(custom) if custom.name == name))
                };
                let kind = |name: &str| if is_custom(name) { "custom" } else { "function" };
                let tools: Vec<_> = names.iter().map(|name| named(kind(name), name)).collect();
                json!({"type": "allowed_tools", "mode": if *required { "required" } else { "auto" }, "tools": tools})
            }
        }
    }
}

/// A tool without what its name decides; `None` if this dialect has none like it.
fn write(tool: &Tool, losses: &mut Losses) -> Option<Value> {
    match tool {
        Tool::Function(function) => {
            // OpenAI takes a missing `strict` for an attempt to be strict, which no other dialect means.
            let strict = function.strict.unwrap_or(false);
            let mut written =
                json!({"type": "function", "name": "", "parameters": function.parameters, "strict": strict});
            if let Some(description) = &function.description {
                written["description"] = Value::from(description.as_str());
            }
            if function.cache.is_some() {
                losses.push(Loss::replaced("tools[].cache_control", "the provider remembers requests by itself"));
            }
            Some(written)
        }
        Tool::Custom(custom) => {
            let mut written = json!({"type": "custom", "name": ""});
            if let Some(description) = &custom.description {
                written["description"] = Value::from(description.as_str());
            }
            if let Some(format) = &custom.format {
                written["format"] = format.clone();
            }
            Some(written)
        }
        Tool::BuiltIn(tool) if tool.family == FAMILY => Some(tool.value.clone()),
        Tool::BuiltIn(tool) => {
            let param = param(tool);
            let written = match tool.kind {
                BuiltIn::WebSearch => web_search(tool, losses),
                BuiltIn::CodeExecution => json!({"type": "code_interpreter", "container": {"type": "auto"}}),
                BuiltIn::UrlContext | BuiltIn::Other => {
                    losses.push(Loss::dropped(param, "the provider's format has no such tool"));
                    return None;
                }
            };
            if tool.family != Family::Gateway {
                losses.push(Loss::replaced(param, "the provider's own tool for this is sent"));
            }
            Some(written)
        }
    }
}

/// Where a client said another's tool.
fn param(tool: &BuiltInTool) -> String {
    let kind = tool.value.get("type").and_then(Value::as_str);
    if kind.is_none() && tool.kind == BuiltIn::WebSearch && tool.family == Family::OpenAiChat {
        return search::param(tool).to_owned();
    }
    // Google's tools have no type: their only member says what they are.
    let member = tool.value.as_object().and_then(|members| members.keys().next()).map(String::as_str);
    format!("tools[].{}", kind.or(member).unwrap_or(UNTYPED))
}

/// Another's search of the web.
fn web_search(tool: &BuiltInTool, losses: &mut Losses) -> Value {
    let options = SearchOptions::of(tool);
    losses.extend(options.lost(&[search::CONTEXT_SIZE, search::PLACE, search::ALLOWED]));
    let mut written = json!({"type": "web_search"});
    for name in [search::CONTEXT_SIZE, search::PLACE] {
        if let Some(value) = options.get(name) {
            written[name] = value.clone();
        }
    }
    if let Some(domains) = options.get(search::ALLOWED) {
        written["filters"] = json!({"allowed_domains": domains});
    }
    written
}

fn put_back(written: &mut Value, name: &str, request: &ChatRequest) {
    if request.extra.family != FAMILY {
        return;
    }
    for (key, by_name) in &request.extra.members {
        let member = key.strip_prefix(EXTRA).filter(|_| key != NAMESPACES);
        if let (Some(member), Some(value)) = (member, by_name.get(name)) {
            written[member] = value.clone();
        }
    }
}
