//! What the name of a model may say besides: a date, a region, a folder; and what it may leave out.
//!
//! The rules are tried in their order, and the first name that is known holds:
//! 1. `models/NAME` (Google's), `ft:NAME:ORGANISATION::ID` (OpenAI's fine-tuned models) and `gpt-35…` (Azure's);
//! 2. without `-latest`, without a date (`-2024-05-13`, `-20240513`, `@20240513`);
//! 3. without the region of a Bedrock profile (`us.`), or the vendor or folder before a slash;
//! 4. the other way round: a name that is known with a vendor or folder before it, or a date behind it.

/// Regions of Bedrock's inference profiles.
const REGIONS: [&str; 9] = ["us.", "eu.", "apac.", "global.", "au.", "jp.", "ca.", "in.", "us-gov."];

/// What a name may mean, the closest first.
pub(super) fn plainer(name: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |one: Option<&str>| {
        if let Some(one) = one.filter(|one| !one.is_empty() && *one != name) {
            found.push(one.to_owned());
        }
    };
    let fine_tuned = name.strip_prefix("ft:").and_then(|rest| rest.split_once(':')).map(|(base, _)| base.len() + 3);
    add(name.strip_prefix("models/"));
    add(fine_tuned.and_then(|end| name.get(..end)));
    let azure = name.strip_prefix("gpt-35").map(|rest| format!("gpt-3.5{rest}"));
    add(azure.as_deref());
    let mut rest = name;
    rest = rest.strip_suffix("-latest").unwrap_or(rest);
    rest = undated(rest).unwrap_or(rest);
    add(Some(rest));
    if let Some(here) = REGIONS.iter().find_map(|region| rest.strip_prefix(region)) {
        add(Some(here));
    }
    add(rest.split_once('/').map(|(_, model)| model));
    add(rest.rsplit_once('/').map(|(_, model)| model));
    found
}

/// Whether `known` says what `name` does, and besides it a vendor, a folder or a date.
pub(super) fn says_more(known: &str, name: &str) -> bool {
    if name.is_empty() || known.len() <= name.len() {
        return false;
    }
    let in_folder = known.strip_suffix(name).is_some_and(|folder| folder.ends_with('/'));
    in_folder || undated(known) == Some(name)
}

/// The name without the date at its end.
fn undated(name: &str) -> Option<&str> {
    const SHAPES: [&str; 3] = ["-####-##-##", "-########", "@########"];
    SHAPES.iter().find_map(|shape| {
        let (rest, date) = name.split_at_checked(name.len().checked_sub(shape.len())?)?;
        let fits = |(letter, wanted): (u8, u8)| if wanted == b'#' { letter.is_ascii_digit() } else { letter == wanted };
        date.bytes().zip(shape.bytes()).all(fits).then_some(rest).filter(|rest| !rest.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_known_by_its_shape() {
        assert_eq!(undated("gpt-4o-2024-05-13"), Some("gpt-4o"));
        assert_eq!(undated("claude-3-opus@20240229"), Some("claude-3-opus"));
        for name in ["gpt-4o", "-20240229", "qwen-7b-123456789", "x-2024-5-13", "ä-2024051é"] {
            assert!(undated(name).is_none_or(|rest| rest == "qwen-7b-1"), "{name}");
        }
    }

    #[test]
    fn a_name_that_says_less_is_found_in_one_that_says_more() {
        assert!(says_more("ibm/granite", "granite") && says_more("a/b/granite", "granite"));
        assert!(says_more("claude-3-opus-20240229", "claude-3-opus"));
        assert!(!says_more("ibm/granite", "ranite") && !says_more("granite", "granite") && !says_more("granite", ""));
    }
}
