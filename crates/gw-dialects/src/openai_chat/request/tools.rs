//! What a model may call, and what it must: OpenAI's words, its older ones, and those of vendors that differ.

use gw_core::chat::{BuiltIn, BuiltInTool, ChatRequest, CustomTool, Family, Function, Loss, Tool, ToolChoice, Unknown};
use serde_json::{Value, json};

use super::content::cache_marker;
use super::read::{self, Members, Wrong};
use super::write::Writer;
use crate::openai_chat::FAMILY;
use crate::shared::search::{self, SearchOptions};

/// The type of a custom tool's format that is a grammar, and the member that it nests the grammar in.
const GRAMMAR: &str = "grammar";

/// A choice, or one of a type that only some providers know.
type Choice = (Option<ToolChoice>, Option<Value>);

/// The tools, and the choice.
pub(super) fn decode(body: &mut Members) -> Result<(Vec<Tool>, Choice), Wrong> {
    let mut tools = Vec::new();
    for (index, tool) in read::list(body, "tools")?.into_iter().enumerate() {
        tools.push(read::as_object(tool).and_then(decode_tool).map_err(|wrong| wrong.element("tools", index))?);
    }
    for (index, older) in read::list(body, "functions")?.into_iter().enumerate() {
        let function = read::as_object(older).and_then(|mut older| {
            let function = decode_function(&mut older)?;
            Ok(Function {
                unknown: Unknown::new(FAMILY, read::with_rest(Members::new(), "function", older)),
                ..function
            })
        });
        tools.push(Tool::Function(function.map_err(|wrong| wrong.element("functions", index))?));
    }
    if let Some(options) = read::object(body, "web_search_options")? {
        let value = Value::Object(options);
        tools.push(Tool::BuiltIn(BuiltInTool { kind: BuiltIn::WebSearch, family: FAMILY, value }));
    }
    let (choice, unknown) = match read::take(body, "tool_choice") {
        Some(value) => decode_choice(value)?,
        None => (None, None),
    };
    let older = match read::take(body, "function_call") {
        Some(value) => decode_older_choice(&value)?,
        None => None,
    };
    Ok((tools, (choice.or(older), unknown)))
}

fn decode_tool(mut tool: Members) -> Result<Tool, Wrong> {
    let kind = tool.get("type").and_then(Value::as_str).unwrap_or("function");
    let kind = match kind {
        "function" => {
            let cache = cache_marker(&mut tool);
            let inner = read::object(&mut tool, "function")?;
            let mut inner = inner.ok_or_else(|| Wrong::new("function", "is missing; it must be an object"))?;
            let mut function = decode_function(&mut inner).map_err(|wrong| wrong.within("function"))?;
            function.cache = function.cache.or(cache);
            tool.shift_remove("type");
            function.unknown = Unknown::new(FAMILY, read::with_rest(tool, "function", inner));
            return Ok(Tool::Function(function));
        }
        "custom" => {
            let inner = read::object(&mut tool, "custom")?;
            let mut inner = inner.ok_or_else(|| Wrong::new("custom", "is missing; it must be an object"))?;
            let mut decode = || {
                Ok(CustomTool {
                    name: read::required(&mut inner, "name")?,
                    description: read::string(&mut inner, "description")?,
                    format: read::take(&mut inner, "format").map(flat_format),
                    unknown: Unknown::default(),
                })
            };
            let mut custom = decode().map_err(|wrong: Wrong| wrong.within("custom"))?;
            tool.shift_remove("type");
            custom.unknown = Unknown::new(FAMILY, read::with_rest(tool, "custom", inner));
            return Ok(Tool::Custom(custom));
        }
        search if search.contains("web_search") => BuiltIn::WebSearch,
        code if code.contains("code_interpreter") || code.contains("code_execution") => BuiltIn::CodeExecution,
        _ => BuiltIn::Other,
    };
    Ok(Tool::BuiltIn(BuiltInTool { kind, family: FAMILY, value: Value::Object(tool) }))
}

fn decode_function(function: &mut Members) -> Result<Function, Wrong> {
    Ok(Function {
        name: read::required(function, "name")?,
        description: read::string(function, "description")?,
        parameters: read::take(function, "parameters"),
        strict: read::boolean(function, "strict")?,
        cache: cache_marker(function),
        unknown: Unknown::default(),
    })
}

fn decode_choice(value: Value) -> Result<Choice, Wrong> {
    let must = || Wrong::new("tool_choice", "must be `auto`, `none`, `required` or an object that names a tool");
    if let Some(word) = value.as_str() {
        return match word {
            "auto" => Ok((Some(ToolChoice::Auto), None)),
            "none" => Ok((Some(ToolChoice::None), None)),
            // Mistral's word.
            "required" | "any" => Ok((Some(ToolChoice::Required), None)),
            _ => Err(must()),
        };
    }
    let kind = value.get("type").and_then(Value::as_str).ok_or_else(must)?;
    let named = |kind: &str| value.get(kind).and_then(name).ok_or_else(must);
    let choice = match kind {
        "function" => ToolChoice::Function(named("function")?),
        "custom" => ToolChoice::Custom(named("custom")?),
        "allowed_tools" => {
            let allowed = value.get("allowed_tools").ok_or_else(must)?;
            let tools = allowed.get("tools").and_then(Value::as_array).ok_or_else(must)?;
            let named = |tool: &Value| tool.get("function").or_else(|| tool.get("custom")).and_then(name);
            let names: Option<Vec<String>> = tools.iter().map(named).collect();
            let required = allowed.get("mode").and_then(Value::as_str) == Some("required");
            match names {
                Some(names) => ToolChoice::Allowed { required, names },
                // Built-in tools have no names here.
                None => return Ok((None, Some(value))),
            }
        }
        _ => return Ok((None, Some(value))),
    };
    Ok((Some(choice), None))
}

/// The older `function_call`.
fn decode_older_choice(value: &Value) -> Result<Option<ToolChoice>, Wrong> {
    let choice = match value.as_str() {
        Some("auto") => Some(ToolChoice::Auto),
        Some("none") => Some(ToolChoice::None),
        _ => name(value).map(ToolChoice::Function),
    };
    choice.map(Some).ok_or_else(|| Wrong::new("function_call", "must be `auto`, `none` or an object with a `name`"))
}

fn name(object: &Value) -> Option<String> {
    object.get("name").and_then(Value::as_str).map(str::to_owned)
}

/// Writes the tools and the choice.
pub(super) fn encode(request: &ChatRequest, writer: &mut Writer) {
    let mut tools = Vec::new();
    for tool in &request.tools {
        tools.extend(encode_tool(tool, writer));
    }
    let has_tools = !tools.is_empty();
    if has_tools {
        writer.say("tools", tools);
    }
    // OpenAI refuses both without tools; both mean nothing then.
    if has_tools {
        writer.say_if("parallel_tool_calls", request.parallel_tool_calls);
        if let Some(choice) = &request.tool_choice {
            writer.say("tool_choice", encode_choice(choice, &request.tools));
        }
    } else if !matches!(request.tool_choice, None | Some(ToolChoice::Auto | ToolChoice::None)) {
        writer.lose(Loss::dropped("tool_choice", "there are no tools left to choose from"));
    }
}

fn encode_tool(tool: &Tool, writer: &mut Writer) -> Option<Value> {
    match tool {
        Tool::Function(Function { name, description, parameters, strict, cache, unknown }) => {
            if cache.is_some() {
                writer.lose(Loss::dropped("tools[].cache_control", "tools cannot be marked for the cache"));
            }
            let mut function = Members::from_iter([("name".to_owned(), Value::from(name.as_str()))]);
            let rest = [
                ("description", description.as_deref().map(Value::from)),
                ("parameters", parameters.clone()),
                ("strict", strict.map(Value::from)),
            ];
            function.extend(rest.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            Some(written("function", function, unknown))
        }
        Tool::Custom(CustomTool { name, description, format, unknown }) => {
            let mut custom = Members::from_iter([("name".to_owned(), Value::from(name.as_str()))]);
            let format = format.as_ref().map(nested_format);
            let rest = [("description", description.as_deref().map(Value::from)), ("format", format)];
            custom.extend(rest.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            Some(written("custom", custom, unknown))
        }
        Tool::BuiltIn(tool) => encode_built_in(tool, writer),
    }
}

/// A tool of that type, with the members that the client gave it besides.
fn written(kind: &str, about: Members, unknown: &Unknown) -> Value {
    let mut tool =
        Members::from_iter([("type".to_owned(), Value::from(kind)), (kind.to_owned(), Value::Object(about))]);
    unknown.write(FAMILY, &mut tool);
    Value::Object(tool)
}

/// A custom tool's format as the canonical form has it: the members of the grammar beside its type.
fn flat_format(mut format: Value) -> Value {
    if let Value::Object(members) = &mut format
        && let Some(Value::Object(grammar)) = members.get_mut(GRAMMAR).map(Value::take)
    {
        members.shift_remove(GRAMMAR);
        members.extend(grammar);
    }
    format
}

/// And as this format has it: within a member of their own.
fn nested_format(format: &Value) -> Value {
    let Some(members) = format.as_object().filter(|members| members.get("type").is_some_and(|kind| kind == GRAMMAR))
    else {
        return format.clone();
    };
    let grammar: Members =
        members.iter().filter(|(name, _)| *name != "type").map(|(name, value)| (name.clone(), value.clone())).collect();
    json!({"type": GRAMMAR, GRAMMAR: grammar})
}

fn encode_built_in(tool: &BuiltInTool, writer: &mut Writer) -> Option<Value> {
    let is_own = tool.family == FAMILY;
    match tool.kind {
        // A tool with a type stands among the tools; options without one have a member of their own.
        _ if is_own && tool.value.get("type").is_some() => return Some(tool.value.clone()),
        BuiltIn::WebSearch if is_own => writer.say("web_search_options", tool.value.clone()),
        BuiltIn::WebSearch => encode_search(tool, writer),
        _ => writer.lose(Loss::dropped("tools[].type", "the provider's format has no such built-in tool")),
    }
    None
}

/// Another's search of the web, as OpenAI's.
fn encode_search(tool: &BuiltInTool, writer: &mut Writer) {
    let options = SearchOptions::of(tool);
    if tool.family != Family::Gateway {
        writer.lose(Loss::replaced("tools[].web_search", "asked for in the words of this format"));
    }
    options.lost(&[search::CONTEXT_SIZE, search::PLACE]).for_each(|loss| writer.lose(loss));
    let mut written = json!({});
    if let Some(size) = options.get(search::CONTEXT_SIZE) {
        written[search::CONTEXT_SIZE] = size.clone();
    }
    if let Some(place) = options.place() {
        written[search::PLACE] = json!({"type": "approximate", "approximate": place});
    }
    writer.say("web_search_options", written);
}

fn encode_choice(choice: &ToolChoice, tools: &[Tool]) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Function(name) => json!({"type": "function", "function": {"name": name}}),
        ToolChoice::Custom(name) => json!({"type": "custom", "custom": {"name": name}}),
        ToolChoice::Allowed { required, names } => {
            let is_custom =
                |name: &str| tools.iter().any(|tool| matches!(tool, Tool::Custom(tool) if tool.name == name));
            let tool = |name: &String| {
                let kind = if is_custom(name) { "custom" } else { "function" };
                json!({"type": kind, kind: {"name": name}})
            };
            let mode = if *required { "required" } else { "auto" };
            let tools: Vec<Value> = names.iter().map(tool).collect();
            json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
        }
    }
}
