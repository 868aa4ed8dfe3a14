//! Who may call, as meant.

use std::collections::HashMap;

use super::Meaning;
use crate::config::{Auth, AuthMode, Config, NamedKey, Profile, Spanned};
use crate::decode::Written;
use crate::file;
use crate::names::check_header_value;

/// The fewest characters of a key. Shorter ones can be guessed.
const KEY_CHARACTERS_MIN: usize = 16;

impl Meaning<'_> {
    /// Who may call.
    pub(super) fn auth(&mut self, section: &Written<file::Auth>) -> Auth {
        let written = section.value();
        let default = match self.profile {
            Profile::Local => Config::local().auth.mode,
            Profile::Server => AuthMode::Required,
        };
        let mode = written.and_then(|written| written.mode.value()).copied().unwrap_or(default);
        let listed = written.and_then(|written| written.keys.value()).map(Vec::as_slice).unwrap_or_default();
        let keys: Vec<NamedKey> = listed.iter().filter_map(|key| self.key(&key.value)).collect();
        self.refuse_twins("key", keys.iter().map(|key| &key.name));
        self.refuse_equal_keys(&keys);

        // Keys that could not be read were reported; they are not missing.
        let nobody = section.is_absent()
            || written.is_some_and(|auth| auth.keys.is_absent() || auth.keys.value().is_some_and(Vec::is_empty));
        if mode == AuthMode::Required && nobody {
            let given = written.and_then(|written| written.mode.given());
            let place = given.map_or(self.root, |mode| &mode.place).clone();
            self.mistake(
                &place,
                "keys are required and auth.keys is empty, so nobody could call".to_owned(),
                "add a name and a key to auth.keys",
            );
        }
        Auth { mode, keys }
    }

    fn key(&mut self, written: &file::NamedKey) -> Option<NamedKey> {
        let name = written.name.given()?;
        let key = written.key.given()?;
        let shown = self.show(&name.value.0, &name.place);
        if key.value.secret.expose().chars().count() < KEY_CHARACTERS_MIN {
            let message = format!("the key {shown} has fewer than {KEY_CHARACTERS_MIN} characters");
            self.mistake(&key.place, message, "generate a longer one");
        } else if let Err(fault) = check_header_value(key.value.secret.expose()) {
            self.mistake(&key.place, format!("the key {shown} {}", fault.predicate), &fault.help);
        }
        if key.value.literal {
            let message = format!("the key {shown} stands in the file");
            let help = "give it by reference: ${NAME} or ${file:/path}";
            match self.profile {
                Profile::Local => self.warning(&key.place, message, help),
                Profile::Server => self.mistake(&key.place, message, help),
            }
        }
        let name = Spanned { value: name.value.0.clone(), place: name.place.clone() };
        let environments = written.environment.value().map(|names| names.0.as_slice()).unwrap_or_default();
        let environments =
            environments.iter().map(|one| Spanned { value: one.value.0.clone(), place: one.place.clone() }).collect();
        Some(NamedKey { name, key: key.value.secret.clone(), environments })
    }

    fn refuse_equal_keys(&mut self, keys: &[NamedKey]) {
        let mut seen: HashMap<&str, &Spanned<String>> = HashMap::new();
        for NamedKey { name, key, .. } in keys {
            let Some(other) = seen.insert(key.expose(), name) else { continue };
            let message = format!(
                "the keys {} and {} are the same",
                self.show(&other.value, &other.place),
                self.show(&name.value, &name.place)
            );
            self.mistake(&name.place, message, "give each application its own");
        }
    }
}
