//! What stands behind a model's name in a request that is carried, or opens a conversation: no provider is sent it but
//! OpenRouter. Who is asked is not chosen by it, since such a request goes to the first who serves its model.

use std::rc::Rc;
use std::sync::Arc;

use gw_core::{Dimension, Error, ErrorCode, Operation, Rate};

use super::suffix::{Suffix, is_in, is_whole, only_openrouters, split};
use super::value::wrong;
use crate::engine::{Engine, Resolved};
use crate::meter::Meter;
use crate::models::{Choice, Target};
use crate::openrouter;
use crate::snapshot::Snapshot;

/// The suffixes of a request that is carried.
pub(crate) struct Behind {
    /// As they stood in its model's name.
    words: Box<str>,
    /// What they ask for.
    suffixes: Vec<Suffix>,
}

impl Behind {
    /// Takes them out of a model's name.
    pub(crate) fn take(snapshot: &Snapshot, model: &mut Option<Box<str>>) -> Self {
        let found = model
            .as_deref()
            .filter(|name| is_in(name) && !snapshot.models.is_written(name) && !is_whole(snapshot, name));
        let Some(name) = found else { return Self { words: Box::default(), suffixes: Vec::new() } };
        let (bare, suffixes) = split(name);
        let words = Box::from(name.get(bare.len()..).unwrap_or_default());
        *model = Some(Box::from(bare));
        Self { words, suffixes }
    }

    /// Does what they ask for, as far as it can be done: OpenRouter is told them.
    ///
    /// # Errors
    /// What must not be left undone: a search, a model that costs nothing, and one that only OpenRouter has.
    pub(crate) fn follow(
        &self,
        engine: &Engine,
        snapshot: &Snapshot,
        operation: Operation,
        resolved: &mut Rc<Resolved>,
        meter: &mut Meter,
    ) -> Result<(), Error> {
        if self.words.is_empty() {
            return Ok(());
        }
        if openrouter::is(&resolved.choice.provider) {
            let model = Arc::from(format!("{}{}", resolved.choice.model, self.words));
            let choice = Choice { model, ..resolved.choice.clone() };
            let target = Target { choice, settings: Arc::clone(&resolved.target_settings) };
            *resolved = Rc::new(engine.prepared(snapshot, &target, operation, None));
            return Ok(());
        }
        let is_free = |dimension| resolved.price.rates.get(dimension) == Some(Rate(0));
        for suffix in &self.suffixes {
            match suffix {
                Suffix::Nitro => meter.dropped([":nitro"].into_iter()),
                Suffix::Floor => meter.dropped([":floor"].into_iter()),
                Suffix::Exacto => meter.dropped([":exacto"].into_iter()),
                Suffix::Free if [Dimension::Input, Dimension::Output].into_iter().all(is_free) => {}
                Suffix::Free => return Err(wrong("model", "ends in `:free`, and it is not known to be free there")),
                Suffix::Online => {
                    let message = "`:online` behind a model's name: only chats search the web";
                    return Err(Error::new(ErrorCode::UnsupportedParameter, message).with_param("model"));
                }
                Suffix::OpenRouters => return Err(only_openrouters(&self.words)),
            }
        }
        Ok(())
    }
}
