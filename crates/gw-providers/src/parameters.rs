//! What an operator changes in the parameters of requests, in the words of the provider's own format.
//!
//! First names are changed and members taken out, as [`quirks`] do it; then what is missing gets its value, and what is
//! fixed gets its own. Everything else stays as it is, byte for byte.

use bytes::Bytes;
use gw_dialects::edit::{self, Edit, Edits};
use gw_dialects::head::Head;
use gw_dialects::scan::{self, ScanError};

use crate::quirks::{self, Quirk};

/// The changes to one object, and to those inside it. A name may lead inside: `generationConfig.seed`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    changed: Vec<Quirk>,
    default: Vec<(String, Bytes)>,
    fixed: Vec<(String, Bytes)>,
    inner: Vec<(String, Parameters)>,
}

impl Parameters {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A request that does not say it, or says `null`, gets this value, in JSON. Of two for one name the later holds.
    pub fn set_default(&mut self, name: &str, json: &str) {
        let (object, name) = self.object(name);
        set(&mut object.default, name, json);
    }

    /// Every request gets this value, in JSON.
    pub fn set_fixed(&mut self, name: &str, json: &str) {
        let (object, name) = self.object(name);
        set(&mut object.fixed, name, json);
    }

    /// The member is left out.
    pub fn drop(&mut self, name: &str) {
        let (object, name) = self.object(name);
        object.change(Quirk::Drop(name.to_owned()));
    }

    /// The member gets another name, in the same object. It is dropped where a request says both.
    pub fn rename(&mut self, name: &str, to: &str) {
        let (object, name) = self.object(name);
        object.change(Quirk::Rename(name.to_owned(), to.to_owned()));
    }

    /// The object that a name leads into, and the name in it.
    fn object<'n>(&mut self, name: &'n str) -> (&mut Self, &'n str) {
        let mut object = self;
        let mut name = name;
        while let Some((outer, rest)) = name.split_once('.') {
            let place = object.inner.iter().position(|(known, _)| known == outer).unwrap_or_else(|| {
                object.inner.push((outer.to_owned(), Self::default()));
                object.inner.len() - 1
            });
            object = &mut object.inner[place].1;
            name = rest;
        }
        (object, name)
    }

    fn change(&mut self, change: Quirk) {
        let of = |quirk: &Quirk| match quirk {
            Quirk::Drop(name) | Quirk::Rename(name, _) => name.clone(),
        };
        let name = of(&change);
        self.changed.retain(|known| of(known) != name);
        self.changed.push(change);
    }

    /// Changes a body, and says what was left out of it.
    ///
    /// # Errors
    /// The body is not a JSON object.
    pub fn apply(&self, body: Bytes) -> Result<(Bytes, Vec<String>), ScanError> {
        let mut dropped = Vec::new();
        let body = self.apply_within("", body, &mut dropped)?;
        Ok((body, dropped))
    }

    fn apply_within(&self, place: &str, mut body: Bytes, dropped: &mut Vec<String>) -> Result<Bytes, ScanError> {
        if !self.changed.is_empty() {
            let head = head(&body)?;
            dropped.extend(quirks::dropped(&self.changed, &head, &body).map(|name| format!("{place}{name}")));
            body = edited(&body, quirks::edits(&self.changed, &head, &body).collect());
        }
        let head = head(&body)?;
        let mut edits = Edits::new();
        for (name, inner) in &self.inner {
            edits.extend(inner.edit(place, name, &head, &body, dropped)?);
        }
        for (name, value) in &self.default {
            let is_said = head.fields.get(&body, name).is_some_and(|field| body.get(field.value()) != Some(b"null"));
            if !is_said {
                edits.push(edit::set(&head, &body, name, value.clone()));
            }
        }
        for (name, value) in &self.fixed {
            edits.push(edit::set(&head, &body, name, value.clone()));
            // Who writes it twice does not get around it.
            edits.extend(head.fields.all(&body, name).skip(1).map(Edit::remove));
        }
        Ok(edited(&body, edits))
    }

    /// The change to the object of that name. One that is not there is made if something is to stand in it.
    fn edit(
        &self,
        place: &str,
        name: &str,
        head: &Head,
        body: &Bytes,
        dropped: &mut Vec<String>,
    ) -> Result<Option<Edit>, ScanError> {
        let field = head.fields.get(body, name);
        let written = field.map(|field| body.slice(field.value())).filter(|value| value != &b"null"[..]);
        let is_object = written.as_ref().is_none_or(|value| value.starts_with(b"{"));
        if !is_object || (written.is_none() && !self.says()) {
            return Ok(None);
        }
        let object = written.unwrap_or_else(|| Bytes::from_static(b"{}"));
        let changed = self.apply_within(&format!("{place}{name}."), object.clone(), dropped)?;
        Ok((changed != object).then(|| edit::set(head, body, name, changed)))
    }

    /// Whether anything is written into an object that is empty.
    fn says(&self) -> bool {
        !self.default.is_empty() || !self.fixed.is_empty() || self.inner.iter().any(|(_, inner)| inner.says())
    }
}

fn set(values: &mut Vec<(String, Bytes)>, name: &str, json: &str) {
    values.retain(|(known, _)| known != name);
    values.push((name.to_owned(), Bytes::copy_from_slice(json.as_bytes())));
}

fn head(body: &Bytes) -> Result<Head, ScanError> {
    Ok(Head { fields: scan::top_level(body)?, ..Head::default() })
}

fn edited(body: &Bytes, edits: Edits) -> Bytes {
    if edits.is_empty() { body.clone() } else { Bytes::from(edit::apply(body, edits).concat()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        let mut parameters = Parameters::default();
        parameters.set_default("temperature", "0.2");
        parameters.set_fixed("user", "\"gateway\"");
        parameters.drop("logit_bias");
        parameters.rename("max_tokens", "max_completion_tokens");
        parameters
    }

    fn applied(parameters: &Parameters, body: &'static str) -> (String, Vec<String>) {
        let (body, dropped) = parameters.apply(Bytes::from_static(body.as_bytes())).unwrap();
        (String::from_utf8(body.to_vec()).unwrap(), dropped)
    }

    #[test]
    fn each_kind_of_change_does_what_it_says_and_leaves_the_rest_as_it_is() {
        let body = r#"{ "model":"m", "max_tokens" : 7 ,"logit_bias":{"1":2},"user":"me","x":1e2 }"#;
        let (sent, dropped) = applied(&parameters(), body);
        assert_eq!(sent, r#"{"temperature":0.2, "model":"m", "max_completion_tokens" : 7 ,"user":"gateway","x":1e2 }"#);
        assert_eq!(dropped, ["logit_bias"]);
    }

    #[test]
    fn what_a_request_says_is_not_overwritten_by_a_default_but_a_null_is() {
        let only = |body| {
            let mut parameters = Parameters::default();
            parameters.set_default("temperature", "0.2");
            applied(&parameters, body).0
        };
        assert_eq!(only(r#"{"temperature":1}"#), r#"{"temperature":1}"#);
        assert_eq!(only(r#"{"temperature":null}"#), r#"{"temperature":0.2}"#);
        assert_eq!(only("{}"), r#"{"temperature":0.2}"#);
    }

    #[test]
    fn a_default_sees_the_names_after_they_were_changed() {
        let mut parameters = parameters();
        parameters.set_default("max_completion_tokens", "100");
        let (sent, _) = applied(&parameters, r#"{"max_tokens":7,"user":"u","temperature":1}"#);
        assert_eq!(sent, r#"{"max_completion_tokens":7,"user":"gateway","temperature":1}"#);
    }

    #[test]
    fn nobody_gets_around_what_is_fixed() {
        let mut parameters = Parameters::default();
        parameters.set_fixed("user", "\"gateway\"");
        let (sent, _) = applied(&parameters, r#"{"us\u0065r":"a","x":1,"user":"b"}"#);
        assert_eq!(sent.matches("gateway").count(), 1, "{sent}");
        assert!(!sent.contains("\"a\"") && !sent.contains("\"b\""), "{sent}");
    }

    #[test]
    fn a_name_leads_into_objects_and_makes_those_that_are_not_there() {
        let mut parameters = Parameters::default();
        parameters.set_default("generationConfig.thinkingConfig.thinkingBudget", "0");
        parameters.drop("generationConfig.seed");
        parameters.drop("toolConfig.x");
        let (sent, dropped) = applied(&parameters, r#"{"generationConfig":{"seed":7,"topK":1}}"#);
        assert_eq!(sent, r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":0},"topK":1}}"#);
        assert_eq!(dropped, ["generationConfig.seed"]);
        let (sent, _) = applied(&parameters, r#"{"contents":[]}"#);
        assert_eq!(sent, r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":0}},"contents":[]}"#);
        // What is no object there is not made one.
        assert_eq!(applied(&parameters, r#"{"generationConfig":[1]}"#).0, r#"{"generationConfig":[1]}"#);
    }

    #[test]
    fn of_two_rules_for_one_name_the_later_holds() {
        let mut parameters = parameters();
        parameters.set_default("temperature", "0.9");
        parameters.drop("max_tokens");
        let (sent, dropped) = applied(&parameters, r#"{"max_tokens":7,"user":"u"}"#);
        assert_eq!(sent, r#"{"temperature":0.9,"user":"gateway"}"#);
        assert_eq!(dropped, ["max_tokens"]);
    }
}
