//! JSON that is handed on as text.

use std::borrow::Cow;

/// A JSON text with the characters themselves in place of their escapes, as far as JSON lets them stand: some libraries
/// write whatever is beyond ASCII as `\u…`. It is the same in JSON, but where it becomes text, a model reads the escapes.
/// Layout, numbers and the order of members stay as they are; so does half of a surrogate pair, which is no character.
pub fn unescaped(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u") && !json.contains("\\/") {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    // Outside of strings JSON has no backslash.
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let (said, length) = match escape.as_bytes().first() {
            Some(b'u') => character(escape).unwrap_or((None, 1)),
            Some(b'/') => (Some('/'), 1),
            _ => (None, 1),
        };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        match said {
            Some(said) => out.push(said),
            None => out.extend(["\\", escape]),
        }
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character of an escape that begins with `u`, and the length of the escape; no character if it has to stay one.
fn character(escape: &str) -> Option<(Option<char>, usize)> {
    let unit = |at: usize| u32::from_str_radix(escape.get(at..at + 4)?, 16).ok();
    let first = unit(1)?;
    if (0xd800..0xdc00).contains(&first)
        && escape.get(5..7) == Some("\\u")
        && let Some(second @ 0xdc00..0xe000) = unit(7)
    {
        return Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)), 11));
    }
    let said = char::from_u32(first).filter(|said| !said.is_control() && !matches!(said, '"' | '\\'));
    Some((said, 5))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn characters_stand_for_themselves_and_all_else_is_as_it_was_written() {
        for (json, expected) in [
            (r#"{"b":"\u6674\u308c","a" : 1.50e+2}"#, r#"{"b":"晴れ","a" : 1.50e+2}"#),
            (r#"{"\u00e9":"\ud83d\ude00 18 \u00b0C"}"#, r#"{"é":"😀 18 °C"}"#),
            (r#""\u0022 \u005C \u000a \u0000 \u007f \u0085""#, r#""\u0022 \u005C \u000a \u0000 \u007f \u0085""#),
            (r#""a\/b \n \" \\u6674 \\""#, r#""a/b \n \" \\u6674 \\""#),
            (r#""\ud83d \ude00 \ud83d\u0041""#, r#""\ud83d \ude00 \ud83dA""#),
            ("{}", "{}"),
        ] {
            assert_eq!(unescaped(json), expected);
            if !json.contains("ud83d \\ude00 ") {
                let [was, is] = [json, expected].map(|json| serde_json::from_str::<Value>(json).unwrap());
                assert_eq!(was, is);
            }
        }
    }

    #[test]
    fn what_is_no_json_is_no_trap() {
        for text in ["\\", "\\u", "\\u12", "\\u12é", "\\é\\u0041", "\\ud83d\\u", "\\u+041"] {
            let _ = unescaped(text);
        }
    }
}
