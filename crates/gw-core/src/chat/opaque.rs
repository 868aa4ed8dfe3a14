//! State that a provider keeps in the hands of its clients: signatures of thoughts, thoughts that are encrypted. It is
//! carried back to its owner, and shown to nobody else.

/// Dialects that share words: what one of them alone can say, another of the family understands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// OpenAI's chat completions, and what imitates them.
    #[default]
    OpenAiChat,
    /// OpenAI's Responses.
    OpenAiResponses,
    /// Anthropic's Messages, wherever they are served.
    Anthropic,
    /// Google's Gemini API, on AI Studio and Vertex.
    Gemini,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// Cohere.
    Cohere,
    /// Ollama.
    Ollama,
    /// The gateway itself, which asks on a client's behalf for what every provider has its own words for. Nobody's state
    /// is of it.
    Gateway,
}

impl Family {
    /// Every family of providers.
    pub const ALL: [Family; 7] = [
        Family::OpenAiChat,
        Family::OpenAiResponses,
        Family::Anthropic,
        Family::Gemini,
        Family::Bedrock,
        Family::Cohere,
        Family::Ollama,
    ];

    /// The name in sealed state.
    pub const fn name(self) -> &'static str {
        match self {
            Family::OpenAiChat => "openai_chat",
            Family::OpenAiResponses => "openai_responses",
            Family::Anthropic => "anthropic",
            Family::Gemini => "gemini",
            Family::Bedrock => "bedrock",
            Family::Cohere => "cohere",
            Family::Ollama => "ollama",
            Family::Gateway => "gateway",
        }
    }
}

/// What kind of state it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpaqueKind {
    /// Proves that the visible thoughts are the model's own.
    Signature,
    /// The thoughts themselves, which nobody else can read.
    Encrypted,
}

/// State that belongs to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    /// Whose words it is in.
    pub family: Family,
    /// The configured provider that gave it. Empty where the client's own dialect carried it and no seal says whose it is:
    /// then it belongs to whoever speaks that dialect.
    pub provider: String,
    /// What kind it is.
    pub kind: OpaqueKind,
    /// As it was given.
    pub data: String,
}

/// Begins state that is carried in the field of another family.
pub const SEAL: &str = "gw1.";

impl Opaque {
    /// How it is written where a dialect of `family` carries it: as it is in its own, sealed with its owner's name in
    /// another's. A dialect whose field must be base64 encodes the seal once more.
    pub fn seal(&self, carrier: Family) -> String {
        let kind = match self.kind {
            OpaqueKind::Signature => "s",
            OpaqueKind::Encrypted => "e",
        };
        if self.family == carrier && self.kind == natural_kind(carrier) {
            return self.data.clone();
        }
        // The fields are parted by ".": a provider's name may have one, but never a "~".
        format!("{SEAL}{}.{kind}.{}.{}", self.family.name(), self.provider.replace('.', "~"), self.data)
    }

    /// What a dialect of `carrier` carried.
    pub fn open(carried: &str, carrier: Family) -> Self {
        Self::unsealed(carried).unwrap_or_else(|| Self {
            family: carrier,
            provider: String::new(),
            kind: natural_kind(carrier),
            data: carried.to_owned(),
        })
    }

    fn unsealed(carried: &str) -> Option<Self> {
        let mut fields = carried.strip_prefix(SEAL)?.splitn(4, '.');
        let (family, kind) = (fields.next()?, fields.next()?);
        let (provider, data) = (fields.next()?, fields.next()?);
        Some(Self {
            family: Family::ALL.into_iter().find(|known| known.name() == family)?,
            provider: provider.replace('~', "."),
            kind: if kind == "s" { OpaqueKind::Signature } else { OpaqueKind::Encrypted },
            data: data.to_owned(),
        })
    }

    /// Whether it may be shown to this provider, which is spoken to in a dialect of this family. Signatures of Anthropic's
    /// and Google's models hold wherever the model is served; what OpenAI encrypts, only the same account can read.
    pub fn belongs_to(&self, family: Family, provider: &str) -> bool {
        let anywhere = matches!(family, Family::Anthropic | Family::Gemini | Family::Bedrock);
        self.family == family && (anywhere || self.provider.is_empty() || self.provider == provider)
    }
}

/// What a family's own field for such state holds.
const fn natural_kind(family: Family) -> OpaqueKind {
    match family {
        Family::OpenAiResponses | Family::OpenAiChat => OpaqueKind::Encrypted,
        Family::Anthropic | Family::Gemini | Family::Bedrock | Family::Cohere | Family::Ollama | Family::Gateway => {
            OpaqueKind::Signature
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_comes_back_from_any_dialect_that_carried_it_with_its_owners_name() {
        for family in Family::ALL {
            for carrier in Family::ALL {
                for kind in [OpaqueKind::Signature, OpaqueKind::Encrypted] {
                    let state = Opaque { family, provider: "mine.eu-1".to_owned(), kind, data: "a.b+/c==".to_owned() };
                    let back = Opaque::open(&state.seal(carrier), carrier);
                    assert_eq!((back.family, back.kind, &back.data), (family, kind, &state.data));
                    assert!(back.belongs_to(family, "mine.eu-1"));
                }
            }
        }
    }

    #[test]
    fn state_is_shown_to_its_owner_only() {
        let state =
            |family| Opaque { family, provider: "a".to_owned(), kind: OpaqueKind::Encrypted, data: String::new() };
        assert!(!state(Family::Anthropic).belongs_to(Family::Gemini, "a"));
        assert!(state(Family::Anthropic).belongs_to(Family::Anthropic, "b"));
        assert!(!state(Family::OpenAiResponses).belongs_to(Family::OpenAiResponses, "b"));
        assert!(state(Family::OpenAiResponses).belongs_to(Family::OpenAiResponses, "a"));
    }

    #[test]
    fn what_only_looks_like_a_seal_is_left_as_it_is() {
        for carried in ["gw1.", "gw1.anthropic.s", "gw1.nobody.s.a.data", "Eu8B", ""] {
            let open = Opaque::open(carried, Family::Anthropic);
            assert_eq!((open.family, open.data.as_str()), (Family::Anthropic, carried));
        }
    }
}
