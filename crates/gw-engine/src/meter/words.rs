//! What a client is told, in headers, of what an attempt could not say to its provider.

use gw_core::chat::{Grade, Loss};
use gw_core::record::LOSSES_MAX;

use super::{FOREIGN_ID_BYTES_MAX, Meter};

/// Longer lists of warnings are cut: they stand in a header.
const BYTES_MAX: usize = 2 << 10;

/// Lists for headers: in ASCII, and of a limited length.
#[derive(Default)]
pub(super) struct Words {
    dropped: String,
    warnings: String,
    /// So many bytes of the warnings are about the request itself, whoever is asked.
    lasting: usize,
}

impl Words {
    pub(super) fn clear(&mut self) {
        self.dropped.clear();
        self.warnings.truncate(self.lasting);
    }

    /// What is told whoever is asked.
    pub(super) fn lasting(&self) -> Self {
        let warnings = self.warnings.get(..self.lasting).unwrap_or_default().to_owned();
        Self { warnings, lasting: self.lasting, ..Self::default() }
    }

    /// Names may be the client's, and as long and as strange as it likes.
    fn left_out(&mut self, name: &str) {
        if self.dropped.len() + name.len() > BYTES_MAX {
            return;
        }
        if !self.dropped.is_empty() {
            self.dropped.push_str(", ");
        }
        self.dropped.extend(name.chars().map(printable));
    }

    fn warn(&mut self, warning: &str) {
        if !self.warnings.is_empty() {
            self.warnings.push_str("; ");
        }
        self.warnings.extend(warning.chars().map(printable));
        self.warnings.truncate(BYTES_MAX);
    }
}

impl Meter {
    /// Members of the request that the provider is not sent, because it would refuse them.
    pub fn dropped<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            self.words.left_out(name);
            self.remember(Loss::dropped(name.to_owned(), "not sent to this provider"));
        }
    }

    /// What the provider's dialect could not say: left out, or said in another way.
    pub fn lost(&mut self, losses: &[Loss]) {
        for loss in losses {
            if loss.grade != Grade::Replaced {
                self.words.left_out(&loss.param);
            }
            self.remember(loss.clone());
            self.words.warn(&loss.to_string());
        }
    }

    /// Something that the client should know. What is not ASCII is left out: it stands in a header.
    pub(crate) fn warn(&mut self, warning: &str) {
        self.words.warn(warning);
    }

    /// Something that the client should know of its request, whoever is asked in the end.
    pub(crate) fn warn_of_request(&mut self, warning: &str) {
        self.words.warn(warning);
        self.words.lasting = self.words.warnings.len();
    }

    fn remember(&mut self, mut loss: Loss) {
        if self.record.losses.len() >= LOSSES_MAX {
            return;
        }
        let end = loss.param.floor_char_boundary(FOREIGN_ID_BYTES_MAX);
        if end < loss.param.len() {
            loss.param = loss.param[..end].to_owned().into();
        }
        self.record.losses.push(loss);
    }

    /// What is told of the losses, in ASCII, if there are any.
    pub fn warnings(&self) -> Option<&str> {
        Some(self.words.warnings.as_str()).filter(|warnings| !warnings.is_empty())
    }

    /// The names of those members, with a comma between them, if there are any.
    pub fn dropped_members(&self) -> Option<&str> {
        Some(self.words.dropped.as_str()).filter(|names| !names.is_empty())
    }
}

/// What may stand in a header.
fn printable(c: char) -> char {
    if c.is_ascii_graphic() { c } else { ' ' }
}
