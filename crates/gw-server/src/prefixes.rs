//! What paths mean whose beginning names a provider, as Cloudflare's do.

use gw_dialects::paths::{self, Addressed};

/// What such a path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Prefixed<'a> {
    /// An operation, at the provider that the path names, if it does.
    Operation(Addressed<'a>, Option<&'a str>),
    /// A list of steps.
    Universal,
}

/// The universal endpoint without an account. Where it stands behind one, its path might have meant anything.
pub(crate) const UNIVERSAL: &str = "/universal";

/// What a `POST` to a path means that means nothing else: `/universal`, `/PROVIDER/…` and `/compat/…`, and the same
/// behind `/v1/ACCOUNT/GATEWAY`. `knows` says whether there is such a provider.
pub(crate) fn find<'a>(path: &'a str, knows: impl Fn(&str) -> bool) -> Option<Prefixed<'a>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path == UNIVERSAL {
        return Some(Prefixed::Universal);
    }
    named(path, &knows).or_else(|| {
        let (_account, rest) = path.strip_prefix("/v1/")?.split_once('/')?;
        match rest.split_once('/') {
            None if !rest.is_empty() => Some(Prefixed::Universal),
            // The slash belongs to what follows.
            Some((gateway, _)) if !gateway.is_empty() => named(rest.get(gateway.len()..)?, &knows),
            None | Some(_) => None,
        }
    })
}

fn named<'a>(path: &'a str, knows: &impl Fn(&str) -> bool) -> Option<Prefixed<'a>> {
    let (name, _) = path.strip_prefix('/')?.split_once('/')?;
    let rest = path.get(name.len() + 1..)?;
    let provider = match name {
        "compat" => None,
        name if knows(name) => Some(name),
        _ => return None,
    };
    // Anthropic's paths are known behind its name without a version, too.
    let addressed = paths::route(rest).or_else(|| paths::route(path))?;
    Some(Prefixed::Operation(addressed, provider))
}

#[cfg(test)]
mod tests {
    use gw_dialects::DialectId;

    use super::*;

    #[test]
    fn a_path_may_name_the_provider_before_what_it_asks_for() {
        let knows = |name: &str| matches!(name, "openai" | "anthropic" | "groq");
        let operation =
            |dialect, provider| Some(Prefixed::Operation(Addressed { dialect, model: None, stream: None }, provider));
        let cases = [
            ("/groq/v1/chat/completions", operation(DialectId::OpenAiChat, Some("groq"))),
            ("/compat/chat/completions", operation(DialectId::OpenAiChat, None)),
            ("/v1/account/gateway/compat/chat/completions", operation(DialectId::OpenAiChat, None)),
            ("/v1/account/gateway/openai/chat/completions", operation(DialectId::OpenAiChat, Some("openai"))),
            ("/v1/account/gateway/anthropic/v1/messages", operation(DialectId::AnthropicMessages, Some("anthropic"))),
            ("/v1/account/gateway/", Some(Prefixed::Universal)),
            ("/universal", Some(Prefixed::Universal)),
            ("/v1/account", None),
            ("/v1//", None),
            ("/unknown/v1/chat/completions", None),
            ("/v1/account/gateway/unknown/chat/completions", None),
        ];
        for (path, expected) in cases {
            assert_eq!(find(path, knows), expected, "{path}");
        }
    }
}
