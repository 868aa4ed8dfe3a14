//! What must hold for every form: shared by the tests and by the fuzz target.
#![expect(clippy::expect_used, reason = "a check that does not hold stops the test")]

use gw_dialects::multipart::{FormScan, ModelField};

/// What separates the parts of the forms under test.
pub(crate) const BOUNDARY: &str = "b0";

/// What is found in a form that comes in these pieces; `None` if it is refused.
pub(crate) fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Option<ModelField>> {
    let mut scan = FormScan::new(BOUNDARY);
    for piece in pieces {
        scan.feed(piece).ok()?;
    }
    scan.finish().ok()?;
    Some(scan.model().cloned())
}

/// A form means the same however it arrives, and the model's name stands where it is said to.
pub(crate) fn check(form: &[u8]) {
    let whole = read([form]);
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(read(form.chunks(size)), whole, "in pieces of {size}");
    }
    for split in 0..form.len().min(400) {
        let (one, two) = form.split_at(split);
        assert_eq!(read([one, two]), whole, "split at {split}");
    }
    if let Some(Some(model)) = whole {
        let place = |at: u64| usize::try_from(at).expect("a place in the form");
        let name = form.get(place(model.place.start)..place(model.place.end));
        assert_eq!(name, Some(model.name.as_bytes()));
    }
}
