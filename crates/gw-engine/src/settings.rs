//! What an operator says of a provider, its models and targets, done to a request: parameters changed, tools told in
//! words.

use bytes::Bytes;
use gw_core::chat::{ChatRequest, Loss};
use gw_core::{Error, Operation};
use gw_dialects::edit::Segments;
use gw_dialects::shared::emulation;

use crate::dispatch::Attempt;
use crate::engine::Call;
use crate::meter::Meter;

impl Attempt<'_> {
    /// A body that is written, with the parameters that the operator changes. Where there are none it is not looked at.
    pub(crate) fn configured(
        &self,
        call: &Call<'_>,
        body: Segments,
        meter: Option<&mut Meter>,
    ) -> Result<Segments, Error> {
        let operation = call.dialect.operation();
        let is_text = matches!(operation, Operation::Chat | Operation::Completion);
        let usual = self.resolved.settings.parameters.as_deref().filter(|_| is_text);
        // Counting tokens takes no parameters.
        let overrides = self.resolved.overrides.as_ref().filter(|_| operation != Operation::CountTokens);
        if usual.is_none() && overrides.is_none() {
            return Ok(body);
        }
        let mut whole = Bytes::from(body.concat());
        let mut dropped = Vec::new();
        for parameters in usual.into_iter().chain(overrides) {
            let (changed, left_out) = parameters.apply(whole).map_err(gw_dialects::scan::ScanError::into_error)?;
            whole = changed;
            dropped.extend(left_out);
        }
        if let Some(meter) = meter {
            meter.dropped(dropped.iter().map(String::as_str));
        }
        Ok(Segments::from_iter([whole]))
    }

    /// Whether tools of this request have to be told in words. A request that says nothing of tools goes as it is.
    pub(crate) fn emulates(&self, call: &Call<'_>) -> bool {
        let says = |word: &str| memchr::memmem::find(&call.body, word.as_bytes()).is_some();
        self.resolved.settings.emulates_tools
            && call.dialect.operation() == Operation::Chat
            && (says("tool") || says("function"))
    }

    /// The request with its tools told in words, and what is replaced by that, where the model knows none.
    pub(crate) fn told_in_words(&self, request: &ChatRequest) -> Option<(ChatRequest, Vec<Loss>)> {
        if self.resolved.settings.emulates_tools { emulation::as_text(request) } else { None }
    }
}
