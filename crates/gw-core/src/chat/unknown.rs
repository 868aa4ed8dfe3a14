//! Members that no word of ours stands for, wherever in a request they stand.

use serde_json::{Map, Value};

use crate::chat::Extra;
use crate::chat::opaque::Family;

/// Members of a message, of a part of one, or of a tool that no word of ours stands for. Dialects of their family write
/// them again; every other lists them as losses. Where there are none, nothing is allocated.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unknown(Option<Box<Extra>>);

impl Unknown {
    /// What is left over of an object of that family's. A member that is `null` says nothing.
    pub fn new(family: Family, mut members: Map<String, Value>) -> Self {
        members.retain(|_, value| !value.is_null());
        if members.is_empty() { Self::default() } else { Self(Some(Box::new(Extra { family, members }))) }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The members, for dialects of that family; of another's, none.
    pub fn of(&self, family: Family) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().filter_map(move |extra| extra.of(family)).flatten()
    }

    /// The members that dialects of that family cannot write.
    pub fn foreign_to(&self, family: Family) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().filter(move |extra| extra.family != family).flat_map(|extra| &extra.members)
    }

    /// Adds another's members; what is there already stays.
    pub fn absorb(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (_, None) => {}
            (None, Some(_)) => self.clone_from(other),
            (Some(own), Some(other)) => {
                for (name, value) in other.of(own.family).into_iter().flatten() {
                    own.members.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
    }

    /// Puts those of that family into an object that is written. What it says already stays; objects that both have are
    /// put into each other.
    pub fn write(&self, family: Family, into: &mut Map<String, Value>) {
        self.of(family).for_each(|(name, value)| put(into, name, value));
    }
}

fn put(into: &mut Map<String, Value>, name: &str, value: &Value) {
    match (into.get_mut(name), value) {
        (None, _) => drop(into.insert(name.to_owned(), value.clone())),
        (Some(Value::Object(written)), Value::Object(more)) => {
            more.iter().for_each(|(name, value)| {
                written.entry(name.clone()).or_insert_with(|| value.clone());
            });
        }
        (Some(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn unknown(members: Value) -> Unknown {
        let Value::Object(members) = members else { unreachable!() };
        Unknown::new(Family::Anthropic, members)
    }

    #[test]
    fn members_go_back_to_their_family_and_are_named_for_all_others() {
        let unknown = unknown(json!({"a": 1, "b": {"c": 2}, "nothing": null}));
        let mut written = json!({"a": "own", "b": {"d": 3}}).as_object().unwrap().clone();
        unknown.write(Family::Gemini, &mut written);
        assert_eq!(Value::from(written.clone()), json!({"a": "own", "b": {"d": 3}}));
        unknown.write(Family::Anthropic, &mut written);
        assert_eq!(Value::from(written), json!({"a": "own", "b": {"d": 3, "c": 2}}));
        assert_eq!(unknown.foreign_to(Family::Gemini).map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(unknown.foreign_to(Family::Anthropic).count(), 0);
    }

    #[test]
    fn what_says_nothing_is_nothing_and_what_is_there_stays() {
        assert!(unknown(json!({"nothing": null})).is_empty());
        let mut both = unknown(json!({"a": 1}));
        both.absorb(&unknown(json!({"a": 2, "b": 3})));
        assert_eq!(both, unknown(json!({"a": 1, "b": 3})));
        let mut none = Unknown::default();
        none.absorb(&both);
        assert_eq!(none, both);
    }
}
