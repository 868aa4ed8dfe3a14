//! The head of a form's part.

use gw_core::Error;

use super::malformed;

/// Whether the head of a part says that it is the model's.
pub(super) fn is_model(head: &[u8]) -> Result<bool, Error> {
    let Ok(text) = std::str::from_utf8(head) else {
        return Err(malformed("the head of a part is not text"));
    };
    let mut disposition = None;
    let mut encoded = false;
    for line in text.split("\r\n").filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':').filter(|_| !line.contains(['\r', '\n', '\0'])) else {
            return Err(malformed("the head of a part cannot be read"));
        };
        // A line that goes on with the one before begins with a space, which no name does.
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(malformed("the head of a part cannot be read"));
        }
        if name.eq_ignore_ascii_case("content-disposition") && disposition.replace(value.trim()).is_some() {
            return Err(malformed("a part has two names"));
        }
        encoded |= name.eq_ignore_ascii_case("content-transfer-encoding")
            && !["7bit", "8bit", "binary"].iter().any(|plain| value.trim().eq_ignore_ascii_case(plain));
    }
    let Some(Disposition { name, is_file }) = disposition.map(read_disposition).transpose()? else {
        return Ok(false);
    };
    match name == "model" {
        true if is_file || encoded => Err(malformed("`model` must be a plain text field")),
        is_model => Ok(is_model),
    }
}

struct Disposition {
    name: String,
    is_file: bool,
}

/// Reads `form-data; name="file"; filename="a.mp3"`.
fn read_disposition(value: &str) -> Result<Disposition, Error> {
    let wrong = || malformed("the name of a part cannot be read");
    let (_, mut rest) = value.split_once(';').ok_or_else(wrong)?;
    let (mut name, mut is_file) = (None, false);
    while !rest.trim().is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(wrong)?;
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => read_quoted(quoted).ok_or_else(wrong)?,
            None => {
                let (value, _) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), &after[value.len()..])
            }
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "name" if name.replace(value).is_some() => return Err(wrong()),
            // RFC 7578 §4.2 forbids it, and some read it.
            "name*" => return Err(wrong()),
            "filename" | "filename*" => is_file = true,
            _ => {}
        }
        rest = match after.trim_start().strip_prefix(';') {
            Some(rest) => rest,
            None if after.trim().is_empty() => "",
            None => return Err(wrong()),
        };
    }
    Ok(Disposition { name: name.ok_or_else(wrong)?, is_file })
}

/// A quoted text up to its end, and what follows it.
fn read_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            // A quote may be escaped. A backslash before anything else is itself: browsers do not escape it.
            '\\' if text[at + 1..].starts_with('"') => value.extend(chars.next().map(|(_, c)| c)),
            _ => value.push(c),
        }
    }
    None
}
