//! Threads of Anthropic's Messages: held here where the provider holds none, or is not told all in the client's words.

use std::sync::Arc;

use gw_core::{Error, ErrorCode};
use gw_dialects::DialectId;
use gw_dialects::anthropic_messages::thread::{self, Thread};
use gw_dialects::edit::Edits;
use gw_dialects::head::Head;
use gw_providers::catalog::DialectEntry;

use crate::budget::Taken;
use crate::continuing::owner;
use crate::conversations::{Key, Stored, ToKeep, ToKeepThread, bytes_of};
use crate::dispatch::Attempt;
use crate::engine::Call;
use crate::meter::Meter;

impl Attempt<'_> {
    /// Whether a request is of a thread that is held here: the provider would hold none, or this one began here.
    pub(crate) async fn holds_thread(&self, entry: &DialectEntry, call: &Call<'_>, head: &Head, meter: &Meter) -> bool {
        match thread::asked(head, &call.body) {
            Ok(Some(_)) if !entry.holds_threads => true,
            Ok(Some(Thread::Continue(id))) => {
                let key = Key::new(&owner(call, meter), &id);
                let found = self.ports.conversations.store().get(&key, self.ports.clock.now()).await;
                matches!(found.as_deref(), Some(Stored::Thread(_)))
            }
            // The provider says what is wrong with it.
            Ok(Some(Thread::Create) | None) | Err(_) => false,
        }
    }

    /// Makes a request of a thread one that brings the whole conversation, and prepares to keep it.
    pub(crate) async fn threaded(
        &self,
        call: &Call<'_>,
        head: &Head,
        meter: &Meter,
        held: &mut Taken,
    ) -> Result<(Edits, Option<ToKeep>), Error> {
        let nothing = (Edits::new(), None);
        if call.dialect != DialectId::AnthropicMessages {
            return Ok(nothing);
        }
        let Some(asked) = thread::asked(head, &call.body)? else { return Ok(nothing) };
        let conversations = Arc::clone(&self.ports.conversations);
        let owner = owner(call, meter);
        let now = self.ports.clock.now();
        let new = thread::messages(head, &call.body)?;
        let (fixed, mut messages) = match asked {
            Thread::Create => (thread::fixed(head, &call.body).into(), Vec::new()),
            Thread::Continue(id) => {
                let found = conversations.store().get(&Key::new(&owner, &id), now).await;
                let Some(Stored::Thread(thread)) = found.as_deref() else { return Err(not_found()) };
                // A short request may continue a long conversation.
                let fixed: usize = thread.fixed.iter().map(|(_, value)| value.len()).sum();
                held.hold(0, fixed + bytes_of(&thread.messages))?;
                (Arc::clone(&thread.fixed), thread.messages.clone())
            }
        };
        messages.extend(conversations.messages(new));
        let edits = thread::whole(head, &call.body, &fixed, messages.iter().map(|message| &*message.json));
        Ok((edits, Some(ToKeep::Thread(ToKeepThread { conversations, owner, now, fixed, messages }))))
    }
}

fn not_found() -> Error {
    let message = "`thread` continues an answer that is not held here; send all messages with {\"type\": \"create\"}";
    Error::new(ErrorCode::ThreadNotFound, message).with_param("thread")
}
