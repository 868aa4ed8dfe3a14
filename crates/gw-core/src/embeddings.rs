//! Texts and pictures, and the vectors that they are turned into, in the one form in which all dialects meet.

use serde_json::value::RawValue;

use crate::Usage;
use crate::chat::Extra;

/// What an application wants vectors of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmbedRequest {
    /// The model, as the client named it.
    pub model: String,
    /// What is turned into vectors: one vector for each.
    pub inputs: Vec<EmbedInput>,
    /// How many numbers a vector is to have.
    pub dimensions: Option<u64>,
    /// How vectors are to be written, each once, the first one above all. Never empty.
    pub encodings: Vec<Encoding>,
    /// What the vectors are for.
    pub purpose: Option<Purpose>,
    /// The title of the document that the inputs are of.
    pub title: Option<String>,
    /// What becomes of an input that is longer than the model takes.
    pub truncation: Option<Truncation>,
    /// An id of the end user, for the provider's own supervision.
    pub user: Option<String>,
    /// What the dialect can say and no word above stands for.
    pub extra: Extra,
}

/// What becomes one vector.
#[derive(Debug, Clone, PartialEq)]
pub enum EmbedInput {
    /// A text.
    Text(String),
    /// A text as the model's own tokens.
    Tokens(Vec<u64>),
    /// Texts and pictures that belong together.
    Parts(Vec<EmbedPart>),
}

/// A part of what becomes one vector.
#[derive(Debug, Clone, PartialEq)]
pub enum EmbedPart {
    /// A text.
    Text(String),
    /// The address of a picture, most often a `data:` one.
    Image(String),
}

/// How the numbers of a vector are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Numbers with a fraction.
    Float,
    /// 32-bit floats, little-endian, in base64.
    Base64,
    /// Whole numbers from -128 to 127.
    Int8,
    /// Whole numbers from 0 to 255.
    Uint8,
    /// Single bits, eight of them as a number from -128 to 127.
    Binary,
    /// Single bits, eight of them as a number from 0 to 255.
    Ubinary,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Encoding; 6] =
        [Encoding::Float, Encoding::Base64, Encoding::Int8, Encoding::Uint8, Encoding::Binary, Encoding::Ubinary];

    /// What all vendors call it.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Float => "float",
            Encoding::Base64 => "base64",
            Encoding::Int8 => "int8",
            Encoding::Uint8 => "uint8",
            Encoding::Binary => "binary",
            Encoding::Ubinary => "ubinary",
        }
    }

    /// The encoding of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.name() == name)
    }

    /// What a provider has to give for it: base64 is another way to write floats, which the gateway does itself.
    #[must_use]
    pub const fn numbers(self) -> Self {
        match self {
            Encoding::Base64 => Encoding::Float,
            other => other,
        }
    }
}

/// What vectors are for. Models may embed a question otherwise than what answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To look for documents.
    Query,
    /// To be found.
    Document,
    /// To sort texts into known classes.
    Classification,
    /// To group texts.
    Clustering,
    /// To tell how alike texts are.
    Similarity,
    /// To find what answers a question.
    QuestionAnswering,
    /// To find what supports a statement or contradicts it.
    FactVerification,
    /// To look for code.
    CodeQuery,
    /// Code, to be found.
    CodeDocument,
    /// Pictures, for whatever purpose.
    Image,
}

/// What becomes of an input that is longer than the model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// The request is refused.
    Refuse,
    /// The beginning is left out.
    Start,
    /// The end is left out.
    End,
}

/// Vectors.
#[derive(Debug, Clone, Default)]
pub struct EmbedAnswer {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model that made them.
    pub model: String,
    /// The vectors in the order of the inputs, once for each way of writing them.
    pub vectors: Vec<(Encoding, Vec<Vector>)>,
    /// What was used; `None` where the provider does not say.
    pub usage: Option<Usage>,
}

/// A vector as it came: its numbers are not read, so that none of them changes.
#[derive(Debug, Clone)]
pub enum Vector {
    /// A list of numbers, as JSON.
    Numbers(Box<RawValue>),
    /// 32-bit floats, little-endian, in base64.
    Base64(String),
}
