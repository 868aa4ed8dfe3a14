//! A form on its way through: its `model` is read and written anew, its files flow by.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use gw_dialects::multipart::{self, FormScan};
use gw_http::{Flow, Interrupted, RequestBody};

use super::inflow::{FlowState, Inflow};
use crate::budget::{Budget, Taken};

/// A form of which the beginning was read.
pub(crate) struct Form {
    scan: FormScan,
    boundary: Box<str>,
    ahead: VecDeque<Bytes>,
    held: Taken,
    inflow: Inflow,
}

impl Form {
    /// Reads on until the model is known, the form is over, or so many bytes are held.
    pub(crate) async fn read(
        inflow: Inflow,
        boundary: &str,
        bytes_max: usize,
        budget: &Arc<Budget>,
    ) -> Result<Self, Error> {
        let scan = FormScan::new(boundary);
        let mut form = Self { scan, boundary: boundary.into(), ahead: VecDeque::new(), held: budget.nothing(), inflow };
        let mut bytes = 0;
        while form.scan.model().is_none() && bytes < bytes_max {
            let Some(piece) = poll_fn(|context| form.inflow.source.poll_piece(context)).await else {
                form.scan.finish()?;
                break;
            };
            let piece = piece.map_err(|Interrupted| form.inflow.state.why())?;
            form.scan.feed(&piece)?;
            form.held.hold(bytes, piece.len())?;
            bytes += piece.len();
            form.ahead.push_back(piece);
        }
        Ok(form)
    }

    /// The model, if its field was found.
    pub(crate) fn model(&self) -> Option<&str> {
        self.scan.model().map(|field| &*field.name)
    }

    /// Whether all of it was read.
    pub(crate) fn is_whole(&self) -> bool {
        self.scan.is_ended()
    }

    pub(crate) fn state(&self) -> Rc<FlowState> {
        Rc::clone(&self.inflow.state)
    }

    /// The form, with this name of the model: in the place of the client's, or before everything else.
    pub(crate) fn into_body(self, model: &str) -> RequestBody {
        let Self { scan, boundary, mut ahead, held, inflow } = self;
        let mut length = inflow.length;
        let has_model = scan.model().is_some();
        match scan.model() {
            Some(field) if *field.name == *model => {}
            Some(field) => {
                let (start, end) = (field.place.start, field.place.end);
                replace(&mut ahead, start, end, Bytes::copy_from_slice(model.as_bytes()));
                length = length.map(|length| (length + model.len() as u64).saturating_sub(end - start));
            }
            None => {
                let field = multipart::field(&boundary, "model", model);
                length = length.map(|length| length + field.len() as u64);
                ahead.push_front(field);
            }
        }
        let flow = FormFlow { ahead, held: Some(held), scan, has_model, source: inflow.source, state: inflow.state };
        RequestBody::flowing(Box::new(flow), length)
    }
}

/// Puts `with` in the place of the bytes from `start` to `end`.
fn replace(pieces: &mut VecDeque<Bytes>, start: u64, end: u64, with: Bytes) {
    let mut with = Some(with);
    let mut at = 0;
    let mut replaced = VecDeque::with_capacity(pieces.len() + 2);
    for piece in pieces.drain(..) {
        let length = piece.len() as u64;
        // What of this piece stands before the range, and where what stands behind it begins. Both fit a piece.
        let before = start.saturating_sub(at).min(length) as usize;
        let behind = end.saturating_sub(at).min(length) as usize;
        at += length;
        replaced.push_back(piece.slice(..before));
        if at >= start {
            replaced.extend(with.take());
        }
        replaced.push_back(piece.slice(behind.max(before)..));
    }
    replaced.retain(|piece| !piece.is_empty());
    *pieces = replaced;
}

/// What was read ahead, and what follows it, which is looked at as it flows by.
struct FormFlow {
    ahead: VecDeque<Bytes>,
    /// Until what was read ahead is gone.
    held: Option<Taken>,
    scan: FormScan,
    /// Whether the client's own field was found in what was read ahead.
    has_model: bool,
    source: Box<dyn Flow>,
    state: Rc<FlowState>,
}

impl Flow for FormFlow {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Interrupted>>> {
        if let Some(piece) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(piece)));
        }
        self.held = None;
        let Some(piece) = ready!(self.source.poll_piece(context)).transpose()? else {
            let whole = self.scan.finish().map_err(|error| self.state.fail(error));
            return Poll::Ready(whole.err().map(Err));
        };
        if let Err(error) = self.scan.feed(&piece) {
            return Poll::Ready(Some(Err(self.state.fail(error))));
        }
        if !self.has_model && self.scan.model().is_some() {
            let message = "`model` stands in the form and beside it; where it is said in a header or in the path, leave \
                           it out of the form or put it before the files";
            let error = Error::new(ErrorCode::DuplicateField, message).with_param("model");
            return Poll::Ready(Some(Err(self.state.fail(error))));
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(pieces: &[&'static str], start: u64, end: u64) -> String {
        let mut pieces: VecDeque<Bytes> = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
        replace(&mut pieces, start, end, Bytes::from_static(b"NEW"));
        pieces.iter().map(|piece| std::str::from_utf8(piece).unwrap()).collect()
    }

    #[test]
    fn a_value_is_replaced_whatever_pieces_it_came_in() {
        for split in 1..9 {
            let (one, two) = "ab-model-yz".split_at(split);
            assert_eq!(replaced(&[one, two], 3, 8), "ab-NEW-yz", "{split}");
        }
        assert_eq!(replaced(&["ab-", "m", "o", "d", "el", "-yz"], 3, 8), "ab-NEW-yz");
        assert_eq!(replaced(&["model"], 0, 5), "NEW");
    }
}
