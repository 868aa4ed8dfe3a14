//! Which provider types the price file knows, under which names, and how their models are called there.

/// A provider type and where its models stand in the price file.
pub(crate) struct Provider {
    /// The type's id in the catalogue.
    pub(crate) id: &'static str,
    /// The values of `litellm_provider` that mean it; those that end with `*` mean all that begin so.
    families: &'static [&'static str],
    /// What stands before the names of its models.
    prefixes: &'static [&'static str],
    /// Whether its own names have slashes in them.
    slashes: bool,
}

const fn plain(id: &'static str, families: &'static [&'static str], prefixes: &'static [&'static str]) -> Provider {
    Provider { id, families, prefixes, slashes: false }
}

const fn slashed(id: &'static str, families: &'static [&'static str], prefixes: &'static [&'static str]) -> Provider {
    Provider { id, families, prefixes, slashes: true }
}

/// Every provider type whose models the price file knows.
pub(crate) const ALL: &[Provider] = &[
    plain("ai21", &["ai21"], &[]),
    plain("anthropic", &["anthropic"], &[]),
    plain("azure-openai", &["azure", "azure_text"], &["azure/"]),
    slashed("baseten", &["baseten"], &["baseten/"]),
    plain("bedrock", &["bedrock", "bedrock_converse"], &[]),
    plain("cerebras", &["cerebras"], &["cerebras/"]),
    slashed("cloudflare-workers-ai", &["cloudflare"], &["cloudflare/"]),
    plain("cohere", &["cohere", "cohere_chat"], &["cohere/"]),
    plain("dashscope", &["dashscope"], &["dashscope/"]),
    plain("databricks", &["databricks"], &["databricks/"]),
    slashed("deepinfra", &["deepinfra"], &["deepinfra/"]),
    plain("deepseek", &["deepseek"], &["deepseek/"]),
    slashed("fireworks", &["fireworks_ai", "fireworks_ai-embedding-models"], &["fireworks_ai/"]),
    plain("gemini", &["gemini"], &["gemini/"]),
    slashed("groq", &["groq"], &["groq/"]),
    slashed("hyperbolic", &["hyperbolic"], &["hyperbolic/"]),
    plain("lambda", &["lambda_ai"], &["lambda_ai/"]),
    plain("minimax", &["minimax"], &["minimax/"]),
    plain("mistral", &["mistral", "codestral"], &["mistral/", "codestral/"]),
    plain("moonshot", &["moonshot"], &["moonshot/"]),
    slashed("nebius", &["nebius"], &["nebius/"]),
    slashed("novita", &["novita"], &["novita/"]),
    slashed("nvidia-nim", &["nvidia_nim"], &["nvidia_nim/"]),
    plain("openai", &["openai", "text-completion-openai"], &["openai/"]),
    slashed("perplexity", &["perplexity"], &["perplexity/"]),
    plain("sambanova", &["sambanova"], &["sambanova/"]),
    slashed("together", &["together_ai"], &["together_ai/"]),
    slashed("vertex", &["vertex_ai", "vertex_ai-*"], &["vertex_ai/"]),
    plain("volcengine-ark", &["volcengine"], &["volcengine/"]),
    slashed("watsonx", &["watsonx"], &["watsonx/"]),
    plain("xai", &["xai"], &["xai/"]),
    plain("zhipu", &["zai", "bigmodel"], &["zai/", "bigmodel/"]),
];

/// Classes of sizes and the like, which are no names of models.
const NOT_MODELS: &[&str] = &["fireworks-ai-", "together-ai-", "1024-x-", "512-x-", "256-x-", "bedrock/", "preset/"];

impl Provider {
    /// What the provider calls a model; `None` if the entry is not one of its models. Prices of a region, quality or
    /// commitment stand under names with further slashes, which only some providers have in names.
    pub(crate) fn name_of(&self, family: &str, key: &str) -> Option<String> {
        let is_own = |own: &str| own.strip_suffix('*').map_or(own == family, |start| family.starts_with(start));
        if !self.families.iter().any(|own| is_own(own)) {
            return None;
        }
        let name = self.prefixes.iter().find_map(|prefix| key.strip_prefix(prefix)).unwrap_or(key);
        let is_model = !NOT_MODELS.iter().any(|start| name.starts_with(start)) && (self.slashes || !name.contains('/'));
        // What a container for code costs is no model's price.
        (is_model && !name.is_empty() && name != "container").then(|| name.to_owned())
    }
}
