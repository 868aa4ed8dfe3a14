//! What every entry of the built-in catalogue must fulfil.

use std::collections::HashSet;

use gw_core::Operation;
use gw_dialects::DialectId;

use super::{AuthWay, Catalog, Kind, ProviderType, StreamUsage, Variable};
use crate::quirks::Quirk;

fn entries() -> impl Iterator<Item = &'static ProviderType> {
    Catalog::builtin().iter()
}

#[test]
fn every_file_can_be_read_and_no_two_share_a_name() {
    assert_eq!(Catalog::builtin().mistakes(), [""; 0]);
    assert_eq!(entries().count(), super::FILES.len());
}

#[test]
fn the_providers_of_this_version_are_there() {
    let ids = "ai21 anthropic azure-openai baichuan baseten bedrock cerebras cloudflare-workers-ai cohere dashscope \
               databricks deepinfra deepseek fireworks gemini github-models groq huggingface hyperbolic lambda llama-cpp lm-studio minimax mistral moonshot \
               nebius novita nvidia-nim ollama ollama-native openai openai-compatible openrouter perplexity sambanova sandbox \
               siliconflow stepfun together vllm volcengine-ark watsonx xai zhipu";
    for id in ids.split(' ') {
        assert!(entries().any(|entry| entry.id == id), "{id}");
    }
}

#[test]
fn lists_are_sorted_and_say_nothing_twice() {
    for entry in entries() {
        for list in [&entry.aliases, &entry.models.known, &entry.models.prefixes] {
            assert!(list.is_sorted_by(|first, second| first < second), "{}: {list:?}", entry.id);
        }
        assert!(entry.models.known.len() <= 40, "{}: nobody reads so many names", entry.id);
    }
}

#[test]
fn whose_models_are_deployed_somewhere_is_known() {
    let makers = entries().filter_map(|entry| entry.models.deployed.as_deref());
    assert!(makers.filter_map(|maker| Catalog::builtin().get(maker)).any(|maker| maker.id == "openai"));
    let unknown = entries().filter_map(|entry| entry.models.deployed.as_deref());
    assert_eq!(unknown.filter(|maker| Catalog::builtin().get(maker).is_none()).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn ids_and_aliases_are_lower_case_words_without_a_slash() {
    for name in Catalog::builtin().names() {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        assert!(!name.is_empty() && name.chars().all(plain), "{name}");
    }
}

#[test]
fn urls_are_https_unless_the_server_is_local() {
    for entry in entries() {
        let pages = entry.docs.iter().chain(&entry.keys_url).chain(&entry.sources);
        for page in pages {
            assert!(page.parse::<http::Uri>().is_ok() && page.starts_with("https://"), "{}: {page}", entry.id);
        }
        let Some(base_url) = &entry.base_url else { continue };
        let url = entry.filled_base_url(|_, _| Some("value".to_owned())).unwrap().unwrap();
        let parsed: http::Uri = url.parse().unwrap();
        assert!(parsed.query().is_none() && parsed.host().is_some(), "{}: {url}", entry.id);
        assert!(!url.contains(['{', '}']), "{}: {base_url} has a variable that is not described", entry.id);
        assert!(!url.ends_with('/'), "{}: the dialects' paths begin with the slash", entry.id);
        let local = parsed.host() == Some("localhost");
        assert_eq!(parsed.scheme_str(), Some(if local { "http" } else { "https" }), "{}: {url}", entry.id);
        assert!(!local || entry.auth.optional, "{}: a local server may have no key", entry.id);
    }
}

#[test]
fn every_variable_stands_in_the_base_url_and_is_described() {
    for entry in entries() {
        for (name, variable) in &entry.variables {
            let base_url = entry.base_url.as_deref().unwrap_or_default();
            assert!(base_url.contains(&format!("{{{name}}}")), "{}: {name}", entry.id);
            let sentence_part = variable.about.starts_with(char::is_lowercase) && !variable.about.ends_with('.');
            assert!(sentence_part, "{}: {}", entry.id, variable.about);
            assert!(is_shouty(&variable.env), "{}: {}", entry.id, variable.env);
        }
    }
}

#[test]
fn facts_have_sources_or_a_note_says_what_is_not_confirmed() {
    for entry in entries() {
        match entry.kind {
            Kind::Sandbox => assert!(entry.base_url.is_none(), "{}", entry.id),
            Kind::Http => {
                assert!(entry.docs.is_some() && !entry.sources.is_empty(), "{}", entry.id);
                assert!(entry.base_url.is_some() || entry.note.is_some(), "{}", entry.id);
            }
        }
        assert!(entry.verified || entry.note.is_some(), "{}: what is unconfirmed?", entry.id);
    }
}

#[test]
fn a_key_can_come_from_an_environment_variable_that_no_other_provider_reads() {
    let mut seen = HashSet::new();
    for entry in entries() {
        match entry.auth.way {
            AuthWay::Bearer
            | AuthWay::Header(_)
            | AuthWay::Query(_)
            | AuthWay::Aws { .. }
            | AuthWay::Azure(_)
            | AuthWay::Ibm => assert!(!entry.credential_variables().is_empty(), "{}", entry.id),
            // Google's own variable names a file, and is read besides.
            AuthWay::Google => {}
            AuthWay::None => assert!(entry.credential_variables().is_empty(), "{}", entry.id),
        }
        for env in entry.credential_variables() {
            assert!(is_shouty(env), "{}: {env}", entry.id);
            assert!(seen.insert(env), "{}: {env} would send another provider's key here", entry.id);
        }
    }
}

#[test]
fn every_provider_speaks_chat_or_turns_to_vectors_and_says_how_usage_is_learned_from_its_streams() {
    for entry in entries() {
        let operations: Vec<_> = entry.dialects().map(|(id, _)| id.operation()).collect();
        assert!(operations.iter().any(|one| [Operation::Chat, Operation::Embeddings].contains(one)), "{}", entry.id);
        for (id, spoken) in entry.dialects() {
            let path = &spoken.path;
            assert!(path.starts_with('/') && path.parse::<http::uri::PathAndQuery>().is_ok(), "{}: {path}", entry.id);
            let streams = id.operation().streams();
            assert_eq!(streams, spoken.stream_usage != StreamUsage::None, "{}: {}", entry.id, id.name());
        }
    }
}

#[test]
fn a_place_of_its_own_is_reached_as_the_usual_one_is() {
    for entry in entries() {
        for (name, variable) in &entry.variables {
            for (value, url) in &variable.base_urls {
                assert!(url.starts_with("https://") && !url.ends_with('/'), "{}: {url}", entry.id);
                let chosen = |asked: &str, _: &Variable| Some(if asked == name { value } else { "value" }.to_owned());
                let filled = entry.filled_base_url(chosen).unwrap().unwrap();
                assert!(filled.parse::<http::Uri>().is_ok() && !filled.contains(['{', '}']), "{}: {filled}", entry.id);
            }
        }
    }
}

#[test]
fn what_is_for_some_dialects_only_stands_with_them() {
    for entry in entries() {
        for (id, spoken) in entry.dialects() {
            let place = format!("{}: {}", entry.id, id.name());
            assert!(spoken.knows.is_empty() || id == DialectId::OpenAiChat, "{place}");
            // Somebody has to serve everybody else.
            let others = entry.dialects().filter(|(other, _)| other.operation() == id.operation()).count();
            assert!(!spoken.own_clients_only || others > 1, "{place}");
            assert!(spoken.models.iter().chain(&spoken.except_models).all(|part| !part.is_empty()), "{place}");
        }
    }
}

#[test]
fn quirks_touch_each_key_once_and_leave_alone_what_the_gateway_edits() {
    for entry in entries() {
        for (id, spoken) in entry.dialects() {
            let mut seen = HashSet::new();
            for quirk in &spoken.quirks {
                let keys: &[&String] = match quirk {
                    Quirk::Rename(from, to) => &[from, to],
                    Quirk::Drop(key) => &[key],
                };
                for key in keys {
                    let place = format!("{}: {}: {key}", entry.id, id.name());
                    assert!(seen.insert(key.as_str()), "{place}");
                    assert!(key.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{place}");
                    assert!(!["model", "messages", "prompt", "input", "stream"].contains(&key.as_str()), "{place}");
                    assert!(*key != "stream_options" || spoken.stream_usage == StreamUsage::Always, "{place}");
                }
            }
        }
    }
}

#[test]
fn no_two_makers_claim_the_same_names() {
    for entry in entries() {
        for other in entries().filter(|other| other.id != entry.id) {
            for prefix in &entry.models.prefixes {
                let twice = other.models.prefixes.iter().find(|theirs| theirs.starts_with(prefix.as_str()));
                assert_eq!(twice, None, "{} and {}", entry.id, other.id);
            }
        }
    }
}

fn is_shouty(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}
