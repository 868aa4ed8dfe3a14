//! What an operator says of a provider and its models, done to a request: parameters changed, tools told in words.

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
        let Some(parameters) = &self.resolved.settings.parameters else { return Ok(body) };
        if !matches!(call.dialect.operation(), Operation::Chat | Operation::Completion) {
            return Ok(body);
        }
        let whole = Bytes::from(body.concat());
        let (body, dropped) = parameters.apply(whole).map_err(gw_dialects::scan::ScanError::into_error)?;
        if let Some(meter) = meter {
            meter.dropped(dropped.iter().map(String::as_str));
        }
        Ok(Segments::from_iter([body]))
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
