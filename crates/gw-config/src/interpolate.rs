//! `${NAME}`, `${NAME:-default}` and `${file:/path}` inside a value, and `$${` for a plain `${`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::scalar::Fault;
use crate::text::{quote, reason};

/// The most bytes of a value after its references are replaced.
const VALUE_BYTES_MAX: usize = 64 << 10;

/// Where references lead.
pub(crate) struct References<'a> {
    pub(crate) environment: &'a Environment,
    /// The directory of the configuration file: relative paths begin there.
    pub(crate) directory: &'a Path,
    /// The files that were read.
    pub(crate) files: BTreeSet<PathBuf>,
}

/// A value with its references replaced.
pub(crate) struct Resolved {
    pub(crate) text: Zeroizing<String>,
    /// How it may be shown: quoted, with the references as written and without their defaults.
    pub(crate) shown: String,
    /// Whether all of it stands in the configuration file.
    pub(crate) literal: bool,
}

/// One `${…}`.
enum Reference<'a> {
    Variable { name: &'a str, default: Option<&'a str> },
    File(&'a str),
}

impl References<'_> {
    /// Replaces the references of a value; all that is wrong with them if that is not possible.
    pub(crate) fn resolve(&mut self, written: &str) -> Result<Resolved, Vec<Fault>> {
        let mut text = Zeroizing::new(String::with_capacity(written.len()));
        let mut shown = String::new();
        let mut literal = true;
        let mut faults = Vec::new();
        let mut rest = written;
        while let Some(start) = rest.find("${") {
            let before = &rest[..start];
            rest = &rest[start + 2..];
            if let Some(plain) = before.strip_suffix('$') {
                text.push_str(plain);
                text.push_str("${");
                shown.push_str(plain);
                shown.push_str("${");
                continue;
            }
            text.push_str(before);
            shown.push_str(before);
            let Some(end) = rest.find('}') else {
                faults.push(Fault::new("has a \"${\" without \"}\"", "close it, or write $${ for a plain ${"));
                break;
            };
            match Reference::parse(&rest[..end]).and_then(|reference| self.follow(&reference, &mut text, &mut shown)) {
                Ok(stands_here) => literal &= stands_here,
                Err(fault) => faults.push(fault),
            }
            rest = &rest[end + 1..];
            if text.len() > VALUE_BYTES_MAX {
                faults.push(Fault::new("is too long with its references replaced", "64 KiB is the most"));
                break;
            }
        }
        text.push_str(rest);
        shown.push_str(rest);
        if faults.is_empty() { Ok(Resolved { text, shown: quote(&shown), literal }) } else { Err(faults) }
    }

    /// A file that the configuration names; relative to the configuration file. Its changes are the configuration's.
    pub(crate) fn file(&mut self, path: &str) -> PathBuf {
        let path = self.directory.join(path);
        self.files.insert(path.clone());
        path
    }

    /// Appends what a reference stands for; says whether that stands in the configuration file itself.
    fn follow(&mut self, reference: &Reference<'_>, text: &mut String, shown: &mut String) -> Result<bool, Fault> {
        match reference {
            Reference::Variable { name, default } => {
                shown.push_str(&format!("${{{name}}}"));
                let (value, literal) = self.variable(name, *default)?;
                text.push_str(&value);
                Ok(literal)
            }
            Reference::File(path) => {
                shown.push_str(&format!("${{file:{path}}}"));
                text.push_str(&self.content(path)?);
                Ok(false)
            }
        }
    }

    /// As in a shell, the default also stands in for a variable that is set but empty.
    fn variable(&self, name: &str, default: Option<&str>) -> Result<(Zeroizing<String>, bool), Fault> {
        let value = match self.environment.variable(name).map(std::ffi::OsString::into_string) {
            Some(Ok(value)) => Some(Zeroizing::new(value)),
            Some(Err(_)) => {
                return Err(Fault::new(
                    format!("refers to the environment variable {name}, which is not valid UTF-8"),
                    "set it to text",
                ));
            }
            None => None,
        };
        match (value, default) {
            (Some(value), Some(default)) if value.is_empty() => Ok((Zeroizing::new(default.to_owned()), true)),
            (Some(value), _) => Ok((value, false)),
            (None, Some(default)) => Ok((Zeroizing::new(default.to_owned()), true)),
            (None, None) => Err(Fault::new(
                format!("refers to the environment variable {name}, which is not set"),
                format!("set it, or give a default: ${{{name}:-default}}"),
            )),
        }
    }

    fn content(&mut self, path: &str) -> Result<Zeroizing<String>, Fault> {
        let file = self.file(path);
        let content = self.environment.read(&file, VALUE_BYTES_MAX).map_err(|error| {
            let what = format!(
                "refers to the file {}, which cannot be read ({})",
                quote(&file.to_string_lossy()),
                reason(&error)
            );
            Fault::new(what, "name a file that the gateway may read, of at most 64 KiB")
        })?;
        let mut content = String::from_utf8(content).map(Zeroizing::new).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            Fault::new(format!("refers to the file {}, which is not valid UTF-8", quote(path)), "name a text file")
        })?;
        // Editors and `echo` leave a newline that is no part of the secret.
        let length = content.trim_end_matches(['\n', '\r']).len();
        content.truncate(length);
        Ok(content)
    }
}

impl<'a> Reference<'a> {
    fn parse(inner: &'a str) -> Result<Self, Fault> {
        if let Some(path) = inner.strip_prefix("file:") {
            return if path.is_empty() {
                Err(Fault::new("has a \"${file:}\" without a path", "write ${file:/path/to/file}"))
            } else {
                Ok(Self::File(path))
            };
        }
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let mut letters = name.chars();
        let first_fits = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
        if first_fits && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
            return Ok(Self::Variable { name, default });
        }
        if name.starts_with("vault:") {
            return Err(Fault::new(
                "refers to a vault, which this version cannot read yet",
                "use ${NAME} or ${file:/path}",
            ));
        }
        // What stands here might be a secret that somebody pasted, so it is not repeated.
        Err(Fault::new(
            "has a \"${…}\" that is no reference",
            "write ${NAME}, ${NAME:-default} or ${file:/path}, or $${ for a plain ${",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(written: &str) -> Result<Resolved, Vec<Fault>> {
        let environment = Environment::empty()
            .with_variable("KEY", "sk-1")
            .with_variable("EMPTY", "")
            .with_file(Path::new("/run/secret"), b"from the file\r\n")
            .with_file(Path::new("conf/near"), b"near\n")
            .with_file(Path::new("/run/large"), &[b'x'; VALUE_BYTES_MAX + 1])
            .with_file(Path::new("/run/binary"), &[0xff]);
        References { environment: &environment, directory: Path::new("conf"), files: BTreeSet::new() }.resolve(written)
    }

    fn text(written: &str) -> String {
        resolve(written).map(|resolved| resolved.text.to_string()).unwrap_or_else(|faults| format!("{faults:?}"))
    }

    #[test]
    fn references_are_replaced_wherever_they_stand() {
        assert_eq!(text("Bearer ${KEY}, ${KEY}"), "Bearer sk-1, sk-1");
        assert_eq!(text("${NOT_SET:-some thing}"), "some thing");
        assert_eq!(text("${EMPTY:-some thing}"), "some thing");
        assert_eq!(text("${EMPTY}"), "");
        assert_eq!(text("${file:/run/secret}"), "from the file");
        assert_eq!(text("${file:near}"), "near");
    }

    #[test]
    fn what_is_no_reference_stays_as_it_is() {
        assert_eq!(text("$5 $KEY {} }"), "$5 $KEY {} }");
        assert_eq!(text("$${KEY} costs $$"), "${KEY} costs $$");
        assert_eq!(text("$${${KEY}"), "${sk-1");
    }

    #[test]
    fn what_stands_in_the_file_is_told_from_what_comes_from_elsewhere() {
        assert!(resolve("plain").unwrap().literal);
        assert!(resolve("${NOT_SET:-plain}").unwrap().literal);
        assert!(!resolve("${KEY:-plain}").unwrap().literal);
        assert!(!resolve("${file:near}").unwrap().literal);
    }

    #[test]
    fn neither_values_nor_defaults_are_shown() {
        assert_eq!(resolve("Bearer ${KEY}").unwrap().shown, r#""Bearer ${KEY}""#);
        assert_eq!(resolve("${NOT_SET:-hidden}").unwrap().shown, r#""${NOT_SET}""#);
    }

    #[test]
    fn every_bad_reference_of_a_value_is_told() {
        let faults =
            resolve("${A} ${B} ${a b} ${vault:x} ${file:} ${file:/none} ${file:/run/large} ${file:/run/binary} ${")
                .err();
        assert_eq!(faults.map(|faults| faults.len()), Some(9));
    }

    #[test]
    fn a_value_cannot_grow_without_end() {
        let faults = resolve(&"${KEY}".repeat(VALUE_BYTES_MAX)).err();
        assert_eq!(faults.map(|faults| faults.len()), Some(1));
    }
}
