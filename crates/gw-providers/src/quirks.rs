//! What is changed in a request for a provider that differs from plain OpenAI, as data.
//!
//! A quirk touches members of the body's top level and knows no conditions. A provider that needs an `if` needs code.

use gw_dialects::edit::Edit;
use gw_dialects::head::Head;
use gw_dialects::scan::Field;
use serde::Deserialize;

/// One difference. The set is closed: a new kind is for a need that several providers share.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quirk {
    /// The provider has the second name for what OpenAI calls by the first. The first is dropped where a request says
    /// both.
    Rename(String, String),
    /// The provider refuses requests with this member, and its documentation says so.
    Drop(String),
}

/// What quirks change in a request.
pub fn edits<'a>(quirks: &'a [Quirk], head: &'a Head, body: &'a [u8]) -> impl Iterator<Item = Edit> + 'a {
    changes(quirks, head, body).map(|change| match change {
        Change::Rename(field, to) => Edit::rename(field, to),
        Change::Remove(field, _) => Edit::remove(field),
    })
}

/// The members of a request that a provider does not get because of its quirks, so that the client can be told. A
/// member that is `null` said nothing and is not among them.
pub fn dropped<'a>(quirks: &'a [Quirk], head: &'a Head, body: &'a [u8]) -> impl Iterator<Item = &'a str> {
    changes(quirks, head, body).filter_map(move |change| match change {
        Change::Remove(field, name) if !is_null(field, body) => Some(name),
        Change::Remove(..) | Change::Rename(..) => None,
    })
}

enum Change<'a> {
    /// The member gets this name.
    Rename(&'a Field, &'a str),
    /// The member, of this name, is taken out.
    Remove(&'a Field, &'a str),
}

fn changes<'a>(quirks: &'a [Quirk], head: &'a Head, body: &'a [u8]) -> impl Iterator<Item = Change<'a>> {
    quirks.iter().flat_map(move |quirk| {
        let (name, new_name) = match quirk {
            Quirk::Drop(name) => (name, None),
            Quirk::Rename(name, to) => (name, Some(to)),
        };
        let said = |name: &'a str| head.fields.all(body, name);
        let new_name = new_name.filter(|to| said(to).all(|field| is_null(field, body)));
        // A `null` under the new name must not outlive the value that gets the name.
        let nulls = new_name.into_iter().filter(move |_| said(name).next().is_some());
        let nulls = nulls.flat_map(move |to| said(to).map(move |field| Change::Remove(field, to.as_str())));
        let changed = said(name).map(move |field| match new_name {
            Some(to) => Change::Rename(field, to),
            None => Change::Remove(field, name),
        });
        changed.chain(nulls)
    })
}

fn is_null(field: &Field, body: &[u8]) -> bool {
    body.get(field.value()) == Some(b"null")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gw_dialects::{edit, scan};

    use super::*;

    const LIMIT: &str = "max_completion_tokens";

    fn rename() -> Quirk {
        Quirk::Rename(LIMIT.to_owned(), "max_tokens".to_owned())
    }

    fn drop(name: &str) -> Quirk {
        Quirk::Drop(name.to_owned())
    }

    /// The body that the provider gets, and what was dropped.
    fn applied(quirks: &[Quirk], body: &'static str) -> (String, Vec<String>) {
        let body = Bytes::from_static(body.as_bytes());
        let head = Head { fields: scan::top_level(&body).unwrap(), ..Head::default() };
        let edits = edits(quirks, &head, &body).collect();
        let dropped = dropped(quirks, &head, &body).map(str::to_owned).collect();
        let sent = edit::apply(&body, edits).concat();
        (String::from_utf8(sent).unwrap(), dropped)
    }

    #[test]
    fn a_member_gets_the_name_that_the_provider_has_for_it_and_keeps_its_value_byte_for_byte() {
        let (sent, dropped) = applied(&[rename()], r#"{"model":"m", "max_completion_tokens" : 1e2 ,"x":[1, 2]}"#);
        assert_eq!(sent, r#"{"model":"m", "max_tokens" : 1e2 ,"x":[1, 2]}"#);
        assert_eq!(dropped, [""; 0]);
    }

    #[test]
    fn a_request_without_the_member_goes_as_it_is() {
        let body = r#"{ "model":"m","max_tokens":5,"messages":[{"max_completion_tokens":1,"user":"u"}] }"#;
        let (sent, dropped) = applied(&[rename(), drop("user")], body);
        assert_eq!(sent, body);
        assert_eq!(dropped, [""; 0]);
    }

    #[test]
    fn where_a_request_has_both_names_the_providers_own_stays_and_the_client_is_told() {
        let (sent, dropped) = applied(&[rename()], r#"{"max_completion_tokens":7,"model":"m","max_tokens":5}"#);
        assert_eq!(sent, r#"{"model":"m","max_tokens":5}"#);
        assert_eq!(dropped, [LIMIT]);
    }

    #[test]
    fn a_null_under_the_new_name_does_not_cost_the_client_its_limit() {
        let (sent, dropped) = applied(&[rename()], r#"{"max_tokens":null,"max_completion_tokens":7}"#);
        assert_eq!(sent, r#"{"max_tokens":7}"#);
        assert_eq!(dropped, [""; 0]);
        let (sent, _) = applied(&[rename()], r#"{"max_tokens":null}"#);
        assert_eq!(sent, r#"{"max_tokens":null}"#);
    }

    #[test]
    fn refused_members_are_dropped_wherever_they_stand_and_the_client_is_told() {
        let quirks = [drop("logprobs"), drop("top_logprobs")];
        for (body, wanted) in [
            (r#"{"logprobs":true,"top_logprobs":5}"#, "{}"),
            (r#"{"logprobs":true,"top_logprobs":5,"model":"m"}"#, r#"{"model":"m"}"#),
            (r#"{"model":"m","logprobs":true,"top_logprobs":5}"#, r#"{"model":"m"}"#),
            (r#"{"top_logprobs":5,"model":"m","logprobs":true}"#, r#"{"model":"m"}"#),
        ] {
            let (sent, dropped) = applied(&quirks, body);
            assert_eq!(sent, wanted, "{body}");
            assert_eq!(dropped, ["logprobs", "top_logprobs"], "{body}");
        }
    }

    #[test]
    fn a_refused_member_is_dropped_however_its_name_is_written_and_as_often_as_it_stands_there() {
        let (sent, dropped) = applied(&[drop("store")], r#"{"st\u006fre":true,"model":"m","store":false}"#);
        assert_eq!(sent, r#"{"model":"m"}"#);
        assert_eq!(dropped, ["store", "store"]);
    }

    #[test]
    fn a_null_is_dropped_without_a_word() {
        let (sent, dropped) = applied(&[drop("user")], r#"{"model":"m","user":null}"#);
        assert_eq!(sent, r#"{"model":"m"}"#);
        assert_eq!(dropped, [""; 0]);
    }

    #[test]
    fn the_files_write_quirks_in_this_way() {
        #[derive(Deserialize)]
        struct File {
            quirks: Vec<Quirk>,
        }
        let text = r#"quirks = [{ rename = ["max_completion_tokens", "max_tokens"] }, { drop = "user" }]"#;
        assert_eq!(toml::from_str::<File>(text).unwrap().quirks, [rename(), drop("user")]);
        assert!(toml::from_str::<File>(r#"quirks = [{ rename = ["a"] }]"#).is_err());
        assert!(toml::from_str::<File>(r#"quirks = [{ drop = "a", rename = ["b", "c"] }]"#).is_err());
    }
}
