//! What is written of a credential, from wherever it comes and however it is spelt: names and values.

use ring::digest::{Context, SHA256};
use serde_json::Value;
use zeroize::Zeroizing;

use super::WrongCredential;

/// What the vendors, their tools and other gateways call what we call by the second name.
const SYNONYMS: &[(&str, &str)] = &[
    ("apikey", "api_key"),
    ("aws_access_key_id", "access_key_id"),
    ("aws_region", "region"),
    ("aws_region_name", "region"),
    ("aws_role_arn", "role_arn"),
    ("aws_secret_access_key", "secret_access_key"),
    ("aws_session_token", "session_token"),
    ("location", "region"),
    ("project", "project_id"),
    ("resource", "resource_name"),
];
/// Objects whose members count as if they stood outside.
const WRAPPERS: &[&str] = &["google_credentials", "credentials", "service_account"];
/// Objects within objects that are looked into.
const DEPTH_MAX: usize = 3;

/// What is written of a credential. Has no `Debug`, since most of it is secret.
#[derive(Default)]
pub(crate) struct Fields {
    list: Vec<(String, Zeroizing<String>)>,
    /// Of a JSON document: what is no single value.
    structures: Vec<(String, Value)>,
}

impl Fields {
    /// Reads what was pasted: a plain key, or JSON.
    ///
    /// # Errors
    /// Where the JSON is broken; nothing of it is repeated.
    pub(crate) fn pasted(text: &str) -> Result<Self, WrongCredential> {
        let mut fields = Self::default();
        if text.trim_start().starts_with('{') {
            fields.read_json(text)?;
        } else if !text.is_empty() {
            fields.set("api_key", text);
        }
        Ok(fields)
    }

    /// Reads a JSON object.
    pub(crate) fn read_json(&mut self, text: &str) -> Result<(), WrongCredential> {
        let document = serde_json::from_str(text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            WrongCredential::new(format!("the credential begins like JSON and is none ({place}); paste the whole file"))
        })?;
        self.read_object(document, 0)
    }

    fn read_object(&mut self, document: Value, depth: usize) -> Result<(), WrongCredential> {
        let Value::Object(members) = document else {
            return Err(WrongCredential::new("the credential must be a key or a JSON object"));
        };
        for (name, value) in members {
            let name = canonical(&name);
            match value {
                Value::Null => {}
                Value::String(text) => self.set(&name, &Zeroizing::new(text)),
                Value::Bool(_) | Value::Number(_) => self.set(&name, &value.to_string()),
                Value::Object(_) if WRAPPERS.contains(&name.as_str()) && depth < DEPTH_MAX => {
                    self.read_object(value, depth + 1)?;
                }
                Value::Object(_) | Value::Array(_) => self.structures.push((name, value)),
            }
        }
        Ok(())
    }

    /// Sets a value that is not there yet: what was said first counts.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let value = value.trim();
        if !value.is_empty() && self.get(name).is_none() {
            self.list.push((name.to_owned(), Zeroizing::new(value.to_owned())));
        }
    }

    /// Adds what others say; what is there already counts.
    pub(crate) fn add(&mut self, others: Self) {
        others.list.iter().for_each(|(name, value)| self.set(name, value));
        let new =
            others.structures.into_iter().filter(|(name, _)| !self.structures.iter().any(|(known, _)| known == name));
        let new: Vec<_> = new.collect();
        self.structures.extend(new);
    }

    /// Gives a field another name.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        self.list.iter_mut().filter(|(name, _)| name == from).for_each(|(name, _)| to.clone_into(name));
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.list.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What stands under a name and is no single value.
    pub(crate) fn structure(&self, name: &str) -> Option<&Value> {
        self.structures.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The value of a field without which the others mean nothing.
    pub(crate) fn need(&self, name: &str, beside: &str) -> Result<&str, WrongCredential> {
        self.get(name).ok_or_else(|| {
            WrongCredential::at(beside, format!("the credential has `{beside}` and no `{name}`; add it"))
        })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A fingerprint, by which a reload knows a credential again.
    pub(crate) fn add_to(&self, digest: &mut Digest) {
        let mut list: Vec<_> = self.list.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        list.sort_unstable();
        for (name, value) in list {
            digest.add(name);
            digest.add(value);
        }
        for (name, value) in &self.structures {
            digest.add(name);
            digest.add(&Zeroizing::new(value.to_string()));
        }
    }
}

/// SHA-256 over texts.
pub(crate) struct Digest(Context);

impl Digest {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds a text; its length goes first, so that no two lists of texts look the same.
    pub(crate) fn add(&mut self, text: &str) {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        bytes
    }
}

/// `accessKeyId` and `AccessKeyId` are `access_key_id`.
fn canonical(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut after_small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_small {
            snake.push('_');
        }
        after_small = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        snake.push(if letter == '-' { '_' } else { letter.to_ascii_lowercase() });
    }
    match SYNONYMS.iter().find(|(synonym, _)| *synonym == snake) {
        Some((_, name)) => (*name).to_owned(),
        None => snake,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_is_a_key_and_an_object_is_read_however_its_names_are_spelt() {
        assert_eq!(Fields::pasted("sk-1").unwrap_or_default().get("api_key"), Some("sk-1"));
        for json in [
            r#"{"accessKeyId":"A","secretAccessKey":"S","region":"us-east-1"}"#,
            r#" {"AccessKeyId":"A","SecretAccessKey":"S","aws_region":"us-east-1"}"#,
            r#"{"aws_access_key_id":"A","aws_secret_access_key":"S","location":"us-east-1"}"#,
        ] {
            let fields = Fields::pasted(json).unwrap_or_default();
            let found = ["access_key_id", "secret_access_key", "region"].map(|name| fields.get(name));
            assert_eq!(found, [Some("A"), Some("S"), Some("us-east-1")], "{json}");
        }
        let nested = r#"{"project":"p","location":"global","googleCredentials":{"privateKey":"K","clientEmail":"e"}}"#;
        let fields = Fields::pasted(nested).unwrap_or_default();
        let found = ["project_id", "region", "private_key", "client_email"].map(|name| fields.get(name));
        assert_eq!(found, [Some("p"), Some("global"), Some("K"), Some("e")]);
    }

    #[test]
    fn broken_json_is_named_by_its_place_and_not_repeated() {
        let message = Fields::pasted("{\"secret\": \"hush\",").err().unwrap().message;
        assert!(message.contains("line 1") && !message.contains("hush"), "{message}");
        assert!(!Fields::pasted("{}").unwrap_or_default().has("api_key"));
    }

    #[test]
    fn a_fingerprint_does_not_depend_on_the_order_and_tells_values_apart() {
        let print = |json: &str| {
            let mut digest = Digest::new();
            Fields::pasted(json).unwrap_or_default().add_to(&mut digest);
            digest.finish()
        };
        assert_eq!(print(r#"{"a":"1","b":"2"}"#), print(r#"{"b":"2","a":"1"}"#));
        assert_ne!(print(r#"{"a":"1","b":"2"}"#), print(r#"{"a":"1b","2":""}"#));
    }
}
