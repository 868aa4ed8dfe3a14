//! What a path means.

use gw_dialects::DialectId;
use gw_dialects::carried::{self, Carried, Found};
use gw_dialects::openai_responses::resource::Resource;
use gw_dialects::paths::{self, Addressed};
use gw_engine::relay::Asked;
use http::Method;

use crate::openrouter;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// An operation, in a dialect.
    Operation(Addressed<'a>),
    /// What the Responses API keeps.
    State(Resource<'a>),
    /// What is carried rather than understood.
    Relay(Asked<'a>),
    /// A conversation in both directions, over WebSocket.
    Realtime(Carried<'a>),
    /// The list of models.
    Models,
    /// One model.
    Model(&'a str),
    /// Something of OpenRouter's own API.
    OpenRouter(openrouter::Asked<'a>),
    /// What would be done with a request.
    Plan,
    /// How providers stand.
    Providers,
    /// How canaries and shadows stand.
    Canaries,
    /// Whether the process lives.
    Live,
    /// Whether it wants requests.
    Ready,
    /// What the control plane answers.
    Control,
    /// A WebSocket, which this endpoint does not speak: clients that ask for one fall back at once when told so.
    Upgrade,
    /// The path is known, the method is not.
    WrongMethod(&'static str),
    /// Nothing.
    Unknown,
}

/// What a method and a path mean. `metrics_path` is where metrics are on this port, if they are.
pub fn route<'a>(method: &Method, path: &'a str, upgrade: Upgrade, metrics_path: Option<&str>) -> Route<'a> {
    if let Some(found) = openrouter::route(method, path) {
        return found.map_or_else(Route::WrongMethod, Route::OpenRouter);
    }
    let path = openrouter::operation(path);
    let path_asked = path;
    if method == Method::POST
        && let Some(addressed) = paths::route(path)
    {
        return Route::Operation(addressed);
    }
    if let Some(resource) = Resource::at(path) {
        return if resource.allows(method) { Route::State(resource) } else { Route::WrongMethod(resource.methods()) };
    }
    let reads = method == Method::GET || method == Method::HEAD;
    let path = trimmed(path);
    let found = match path {
        "/gateway/plan" if method == Method::POST => return Route::Plan,
        "/gateway/plan" => return Route::WrongMethod("POST"),
        "/gateway/providers" => Route::Providers,
        "/gateway/canaries" => Route::Canaries,
        "/health/live" => Route::Live,
        "/health/ready" | "/health" => Route::Ready,
        "/v1/responses" | "/openai/v1/responses" if upgrade == Upgrade::Asked => return Route::Upgrade,
        _ if metrics_path.is_some_and(|metrics| metrics == path) => Route::Control,
        _ => match models(path) {
            Some(found) => found,
            None if paths::route(path_asked).is_some() => return Route::WrongMethod("POST"),
            None => return carried(method, path_asked),
        },
    };
    if reads { found } else { Route::WrongMethod("GET, HEAD") }
}

/// What is carried rather than understood.
fn carried<'a>(method: &Method, path: &'a str) -> Route<'a> {
    match carried::route(method.as_str(), path) {
        Found::Carried(found) if found.dialect == DialectId::OpenAiRealtime => Route::Realtime(found),
        Found::Carried(found) => Route::Relay(Asked::Operation(found)),
        Found::Raw { provider, path } => Route::Relay(Asked::Raw { provider, path }),
        Found::WrongMethod(allowed) => Route::WrongMethod(allowed),
        Found::Nothing => Route::Unknown,
    }
}

/// Whether the client asks to speak another protocol on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// It does.
    Asked,
    /// It does not.
    No,
}

fn models(path: &str) -> Option<Route<'_>> {
    let rest = ["/openai", "/anthropic", "/gemini"].iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
    let version = ["/v1beta", "/v1"].iter().find_map(|version| rest.strip_prefix(version));
    let rest = version.unwrap_or(rest).strip_prefix("/models")?;
    match rest.strip_prefix('/') {
        None if rest.is_empty() => Some(Route::Models),
        Some(model) if !model.is_empty() => Some(Route::Model(model)),
        None | Some(_) => None,
    }
}

fn trimmed(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some(rest) if !rest.is_empty() => rest,
        Some(_) | None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_means_one_thing_with_or_without_prefix_and_trailing_slash() {
        let of = |dialect| Route::Operation(Addressed { dialect, model: None, stream: None });
        let chat = of(DialectId::OpenAiChat);
        let cases = [
            ("POST", "/v1/chat/completions", chat),
            ("POST", "/openai/v1/chat/completions", chat),
            ("POST", "/chat/completions", chat),
            ("POST", "/v1/chat/completions/", chat),
            ("GET", "/v1/chat/completions", Route::WrongMethod("POST")),
            ("POST", "/api/v1/chat/completions", chat),
            ("GET", "/api/v1/chat/completions", Route::WrongMethod("POST")),
            ("GET", "/api/v1/models", Route::OpenRouter(openrouter::Asked::Models("text"))),
            ("POST", "/api/v1/messages", of(DialectId::AnthropicMessages)),
            ("POST", "/v1/embeddings", of(DialectId::OpenAiEmbeddings)),
            ("POST", "/v1/completions", of(DialectId::OpenAiCompletions)),
            ("POST", "/v1/messages", of(DialectId::AnthropicMessages)),
            ("GET", "/v1/models", Route::Models),
            ("GET", "/models/", Route::Models),
            ("GET", "/v1/models/openai/gpt-4o", Route::Model("openai/gpt-4o")),
            ("GET", "/v1beta/models", Route::Models),
            ("GET", "/anthropic/v1/models/claude-x", Route::Model("claude-x")),
            ("GET", "/v1/modelsx", Route::Unknown),
            ("DELETE", "/v1/models", Route::WrongMethod("GET, HEAD")),
            ("GET", "/health/live", Route::Live),
            ("HEAD", "/health/ready", Route::Ready),
            ("GET", "/metrics", Route::Control),
            ("POST", "/gateway/plan", Route::Plan),
            ("GET", "/gateway/plan", Route::WrongMethod("POST")),
            ("GET", "/gateway/providers", Route::Providers),
            ("GET", "/gateway/canaries", Route::Canaries),
            ("GET", "/", Route::Unknown),
            ("HEAD", "/api/hello", Route::Unknown),
            ("GET", "/v1/responses/resp_1", Route::State(Resource::Response("resp_1"))),
            ("POST", "/v1/responses/resp_1", Route::WrongMethod("GET, DELETE")),
            ("DELETE", "/v1/conversations/conv_1", Route::State(Resource::Conversation("conv_1"))),
            ("POST", "/v1/responses/input_tokens", of(DialectId::OpenAiInputTokens)),
            ("POST", "/v1/models/x:countFingers", Route::WrongMethod("GET, HEAD")),
            ("GET", "/v1/models/openai/ft:gpt-4o:a", Route::Model("openai/ft:gpt-4o:a")),
        ];
        for (method, path, expected) in cases {
            let method = method.parse().unwrap();
            assert_eq!(route(&method, path, Upgrade::No, Some("/metrics")), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_websocket_is_refused_in_the_way_that_makes_clients_fall_back_at_once() {
        assert_eq!(route(&Method::GET, "/v1/responses", Upgrade::Asked, None), Route::Upgrade);
        assert_eq!(route(&Method::GET, "/v1/responses", Upgrade::No, None), Route::WrongMethod("POST"));
    }

    #[test]
    fn metrics_with_a_listener_of_their_own_are_not_on_this_one() {
        assert_eq!(route(&Method::GET, "/metrics", Upgrade::No, None), Route::Unknown);
    }
}
