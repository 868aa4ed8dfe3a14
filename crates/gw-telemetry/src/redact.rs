//! Masks what looks like a credential, in messages that come from elsewhere.

use std::borrow::Cow;

const MASK: &str = "***";

/// How credentials of known makers begin. It takes [`TOKEN_BYTES_MIN`] more to make one.
const PREFIXES: &[&str] = &[
    "sk-",
    "sk_",
    "pk-",
    "rk_",
    "hf_",
    "gsk_",
    "xai-",
    "AIza",
    "AKIA",
    "ASIA",
    "eyJ",
    "pplx-",
    "nvapi-",
    "csk-",
    "fw_",
    "r8_",
    "tgp_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "ya29.",
];

const TOKEN_BYTES_MIN: usize = 8;

/// No name of a secret, and no token, is shorter.
const WORD_BYTES_MIN: usize = 6;

/// How the names of things end whose values are secret. Compared without case; `-` and `_` are the same.
const SECRET_NAMES: &[&str] = &[
    "authorization",
    "api-key",
    "apikey",
    "api-token",
    "access-token",
    "accesstoken",
    "auth-token",
    "refresh-token",
    "id-token",
    "session-token",
    "security-token",
    "access-key",
    "account-key",
    "secret",
    "password",
    "passwd",
    "cookie",
    "signature",
];

/// What may stand between a name and its value; a backslash only as a part of an escape.
const JOINTS: &[&str] = &[" ", "\t", "\"", "'", "\\\"", "\\\\", ":", "=", ">"];

/// Words that stand before the secret in a value of `Authorization`.
const SCHEMES: &[&str] = &["bearer ", "basic ", "digest ", "token "];

/// The text with `***` in place of everything that looks like a credential: tokens of known makers, values of headers,
/// parameters and fields whose name says that they are secret, and passwords in URLs. One pass over the text; valid
/// JSON stays valid.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut scan = Scan { text, kept: 0, masked: String::new() };
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let word = &rest[..rest.find(|character| !is_word(character)).unwrap_or(rest.len())];
        at = if word.is_empty() { scan.gap(at) } else { scan.word(at, word) };
    }
    scan.finish()
}

struct Scan<'a> {
    text: &'a str,
    /// Up to here the text was copied or masked.
    kept: usize,
    masked: String,
}

impl<'a> Scan<'a> {
    /// Reads what is no word; returns where it ends.
    fn gap(&mut self, at: usize) -> usize {
        let rest = &self.text[at..];
        let gap = &rest[..rest.find(is_word).unwrap_or(rest.len())];
        if let Some(place) = gap.find("://") {
            self.user_information(at + place + "://".len());
        }
        // The letter after a backslash belongs to it: `\n` in JSON is no beginning of a word.
        let escape = gap.ends_with('\\') && rest[gap.len()..].starts_with(['b', 'f', 'n', 'r', 't']);
        at + gap.len() + usize::from(escape)
    }

    /// Reads a word; returns where it, or what was masked with it, ends.
    fn word(&mut self, at: usize, word: &str) -> usize {
        let end = at + word.len();
        if at < self.kept {
            return end.max(self.kept);
        }
        if word.len() < WORD_BYTES_MIN {
            return end;
        }
        if word.eq_ignore_ascii_case("bearer")
            && let Some(start) = skip(self.text, end, " ").filter(|start| value(self.text, *start) >= TOKEN_BYTES_MIN)
        {
            return self.mask(start, start + value(self.text, start));
        }
        if is_secret_name(word)
            && let Some(start) = value_start(self.text, end).filter(|start| value(self.text, *start) > 0)
        {
            return self.mask(start, start + value(self.text, start));
        }
        if let Some(prefix) = PREFIXES.iter().find(|prefix| word.starts_with(**prefix))
            && word.len() >= prefix.len() + TOKEN_BYTES_MIN
        {
            return self.mask(at + prefix.len(), end);
        }
        end
    }

    /// Masks `user:password` in `scheme://user:password@host`.
    fn user_information(&mut self, at: usize) {
        let rest = &self.text[at..];
        let ends = |character: char| "/?#\"'<>\\".contains(character) || character.is_whitespace();
        let authority = &rest[..rest.find(ends).unwrap_or(rest.len())];
        if let Some(end) = authority.rfind('@') {
            self.mask(at, at + end);
        }
    }

    fn mask(&mut self, from: usize, to: usize) -> usize {
        self.masked.push_str(&self.text[self.kept..from]);
        self.masked.push_str(MASK);
        self.kept = to;
        to
    }

    fn finish(mut self) -> Cow<'a, str> {
        if self.masked.is_empty() {
            return Cow::Borrowed(self.text);
        }
        self.masked.push_str(&self.text[self.kept..]);
        Cow::Owned(self.masked)
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '~')
}

/// Where the value of a name that ends at `end` begins; `None` if the name is a part of prose. A JSON value that is not
/// a string is none.
fn value_start(text: &str, end: usize) -> Option<usize> {
    let (mut at, mut separated, mut quoted_name, mut quoted_value) = (end, false, false, false);
    while let Some(joint) = JOINTS.iter().find(|joint| text[at..].starts_with(**joint)) {
        match *joint {
            ":" | "=" => separated = true,
            "\"" | "'" | "\\\"" if separated => quoted_value = true,
            "\"" | "'" | "\\\"" => quoted_name = true,
            _ => {}
        }
        at += joint.len();
    }
    let scheme = text.get(at..).and_then(|rest| {
        SCHEMES.iter().find(|scheme| rest.get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme)))
    });
    let at = scheme.map_or(Some(at), |scheme| skip(text, at + scheme.len() - 1, " "));
    at.filter(|_| separated && (quoted_value || !quoted_name))
}

/// Where the text goes on after at least one of `what`.
fn skip(text: &str, at: usize, what: &str) -> Option<usize> {
    let rest = &text[at..];
    let left = rest.trim_start_matches(what).len();
    (left < rest.len()).then_some(text.len() - left)
}

/// The length of the secret value that begins at `at`. It ends where JSON, URLs, headers and prose end a value.
fn value(text: &str, at: usize) -> usize {
    let mut end = at;
    loop {
        let rest = &text[end..];
        end += rest
            .find(|character: char| "\"'`,;&<>()[]{}\\".contains(character) || character.is_whitespace())
            .unwrap_or(rest.len());
        // An escape is masked whole, or not at all.
        let escape = ["\\\\", "\\u", "\\/", "\\b", "\\f"].iter().find(|escape| text[end..].starts_with(**escape));
        let Some(escape) = escape else { return end - at };
        end += escape.len();
    }
}

fn is_secret_name(word: &str) -> bool {
    let same = |(one, other): (&u8, u8)| one.eq_ignore_ascii_case(&other) || (*one == b'_' && other == b'-');
    SECRET_NAMES.iter().any(|name| {
        let start = word.len().checked_sub(name.len());
        start.is_some_and(|start| word.as_bytes()[start..].iter().zip(name.bytes()).all(same))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credentials_are_masked_wherever_they_stand() {
        for (text, expected) in [
            ("Incorrect API key provided: sk-proj-abcDEF123_456-x.", "Incorrect API key provided: sk-***"),
            ("hf_abcdefghijkl gsk_abcdefghijkl xai-abcdefghijkl", "hf_*** gsk_*** xai-***"),
            ("key AIzaSyA-abcdefghijk, id AKIAIOSFODNN7EXAMPLE", "key AIza***, id AKIA***"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_d end", "jwt eyJ*** end"),
            ("Authorization: Bearer abc.def/ghi+jkl==", "Authorization: Bearer ***"),
            ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic ***"),
            ("authorization: abc", "authorization: ***"),
            ("got 'bearer 0123456789abcdef'", "got 'bearer ***'"),
            ("https://host/v1?api-key=abc&model=m", "https://host/v1?api-key=***&model=m"),
            ("x-api-key=abc; X-Goog-Api-Key: d e", "x-api-key=***; X-Goog-Api-Key: *** e"),
            (r#"{"api_key": "abc", "n": 1}"#, r#"{"api_key": "***", "n": 1}"#),
            (r#"{"error":"{\"password\":\"abc\"}"}"#, r#"{"error":"{\"password\":\"***\"}"}"#),
            (r#"{"message":"line\nsk-abcdefghijkl"}"#, r#"{"message":"line\nsk-***"}"#),
            ("OPENAI_API_KEY=abc AWS_SECRET_ACCESS_KEY=a/b+c", "OPENAI_API_KEY=*** AWS_SECRET_ACCESS_KEY=***"),
            ("http://user:p@ss@proxy:3128/x", "http://***@proxy:3128/x"),
            ("via http://:secret@proxy and sk-abcdefghijkl", "via http://***@proxy and sk-***"),
            ("/v1/sk-abcdefghijkl/é", "/v1/sk-***/é"),
            ("password=!päss:w0rd$ end", "password=*** end"),
            (r#"{"password":"a\u0000b\\c","n":1}"#, r#"{"password":"***","n":1}"#),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn what_is_no_credential_is_left_alone_and_not_copied() {
        for text in [
            "",
            "the password is wrong: try again",
            "no bearer token was sent",
            "max_tokens: 100, total_tokens=5",
            "task-abcdefghijklm and disk-abcdefghijklm",
            "sk-1 hf_x",
            "unexpected token: }",
            "https://host:443/path?model=gpt-5@latest",
            "mail user@example.com about http://example.com",
            "api key:",
            r#"{"password":null,"secret":5}"#,
            "naïve – 日本語 – 🚀",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text}: {}", redact(text));
        }
    }

    #[test]
    fn a_long_text_takes_time_in_proportion() {
        // Quadratic behaviour would take minutes.
        for piece in
            ["://a@", "password", "api-key ", "bearer ", "sk-", "\\\"'", "authorization=", "password:", "@", "\\\\"]
        {
            let text = piece.repeat(400_000 / piece.len());
            assert!(redact(&text).len() <= 2 * text.len());
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_a_known_token_never_survives(before in ".*", after in ".*") {
            let token = "sk-abcdefghijkl0123";
            let text = format!("{before} {token} {after}");
            prop_assert!(!redact(&text).contains("abcdefghijkl0123"));
        }

        #[test]
        fn json_stays_json(text in ".*", value in ".*", number: f64, name in "(api_key|password|authorization|x)") {
            for value in [value.as_str().into(), number.into(), serde_json::Value::Null, [value].as_slice().into()] {
                let json = serde_json::json!({ &name: value, "text": text, "nested": { &name: "end" } });
                let once = redact(&json.to_string()).into_owned();
                prop_assert!(serde_json::from_str::<serde_json::Value>(&once).is_ok(), "{once}");
                let nested = redact(&serde_json::json!({ "message": json.to_string() }).to_string()).into_owned();
                prop_assert!(serde_json::from_str::<serde_json::Value>(&nested).is_ok(), "{nested}");
            }
        }

        #[test]
        fn the_value_of_a_secret_s_name_never_survives(value in "[a-zA-Z0-9!$/+=_.~-]{6,40}") {
            for text in [
                format!("password={value}"),
                format!("see authorization: {value} end"),
                serde_json::json!({ "api_key": value }).to_string(),
                serde_json::json!({ "message": serde_json::json!({ "api_key": value }).to_string() }).to_string(),
            ] {
                let redacted = redact(&text).into_owned();
                prop_assert!(!redacted.contains(&value), "{redacted}");
            }
        }
    }
}
