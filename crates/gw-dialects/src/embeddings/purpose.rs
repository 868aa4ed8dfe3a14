//! What vectors are for, in the words of each vendor.

use gw_core::embeddings::Purpose;

use crate::shared::losses::Losses;

/// A vendor's words for purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// `input_type` of Cohere.
    Cohere,
    /// `taskType` of Google.
    Gemini,
    /// `input_type` of Voyage.
    Voyage,
    /// `task` of Jina.
    Jina,
}

/// One row per purpose: Cohere's word, Google's, Voyage's, Jina's; empty where there is none.
const TABLE: [(Purpose, [&str; 4]); 10] = [
    (Purpose::Query, ["search_query", "RETRIEVAL_QUERY", "query", "retrieval.query"]),
    (Purpose::Document, ["search_document", "RETRIEVAL_DOCUMENT", "document", "retrieval.passage"]),
    (Purpose::Classification, ["classification", "CLASSIFICATION", "", "classification"]),
    (Purpose::Clustering, ["clustering", "CLUSTERING", "", "separation"]),
    (Purpose::Similarity, ["", "SEMANTIC_SIMILARITY", "", "text-matching"]),
    (Purpose::QuestionAnswering, ["", "QUESTION_ANSWERING", "", ""]),
    (Purpose::FactVerification, ["", "FACT_VERIFICATION", "", ""]),
    (Purpose::CodeQuery, ["", "CODE_RETRIEVAL_QUERY", "", "code.query"]),
    (Purpose::CodeDocument, ["", "", "", "code.passage"]),
    (Purpose::Image, ["image", "", "", ""]),
];

/// The purpose that any vendor's word means.
pub(super) fn read(word: &str) -> Option<Purpose> {
    // What NVIDIA and Jina's older models call a document.
    if word.eq_ignore_ascii_case("passage") {
        return Some(Purpose::Document);
    }
    let means = |words: &[&str; 4]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    TABLE.iter().find(|(_, words)| !word.is_empty() && means(words)).map(|(purpose, _)| *purpose)
}

/// The vendor's word for a purpose, or for the nearest that it knows; the difference is among the losses.
pub(super) fn say(purpose: Purpose, words: Words, losses: &mut Losses) -> Option<&'static str> {
    if let Some(word) = word(purpose, words) {
        return Some(word);
    }
    // That an input is a picture, its format says.
    if purpose == Purpose::Image {
        return None;
    }
    let near = nearest(purpose).and_then(|near| word(near, words));
    match near {
        Some(near) => losses.replace("input_type", format!("the provider knows no such purpose; said as `{near}`")),
        None => losses.replace("input_type", "the provider knows no such purpose; its vectors serve every one"),
    }
    near
}

/// What is lost where a provider knows no purposes at all. Who asks in Cohere's format must name one, so that it is not
/// left out but has no meaning.
pub(super) fn unsaid(purpose: Option<Purpose>, losses: &mut Losses) {
    if purpose.is_some_and(|purpose| purpose != Purpose::Image) {
        losses.replace("input_type", "the provider makes the same vectors for every purpose");
    }
}

fn word(purpose: Purpose, words: Words) -> Option<&'static str> {
    let (_, row) = TABLE.iter().find(|(known, _)| *known == purpose)?;
    row.get(words as usize).copied().filter(|word| !word.is_empty())
}

const fn nearest(purpose: Purpose) -> Option<Purpose> {
    match purpose {
        Purpose::QuestionAnswering | Purpose::FactVerification | Purpose::CodeQuery => Some(Purpose::Query),
        Purpose::CodeDocument => Some(Purpose::Document),
        Purpose::Similarity => Some(Purpose::Clustering),
        Purpose::Query | Purpose::Document | Purpose::Classification | Purpose::Clustering | Purpose::Image => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendors_word_is_understood_and_said_again() {
        for words in [Words::Cohere, Words::Gemini, Words::Voyage, Words::Jina] {
            for (purpose, row) in TABLE {
                let said = row[words as usize];
                if !said.is_empty() {
                    assert_eq!(read(said), Some(purpose), "{said}");
                    let mut losses = Losses::default();
                    assert_eq!(say(purpose, words, &mut losses), Some(said));
                    assert!(losses.into_vec().is_empty());
                }
            }
        }
        assert_eq!(read(""), None);
        assert_eq!(read("weather"), None);
    }

    #[test]
    fn a_purpose_without_a_word_is_said_as_the_nearest_and_told() {
        let mut losses = Losses::default();
        assert_eq!(say(Purpose::QuestionAnswering, Words::Cohere, &mut losses), Some("search_query"));
        assert_eq!(say(Purpose::Similarity, Words::Voyage, &mut losses), None);
        assert_eq!(losses.into_vec().len(), 2);
    }
}
