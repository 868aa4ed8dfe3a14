//! `relay`, as written: operations that are carried rather than understood.

use std::time::Duration;

use crate::scalar::Size;
use crate::section::section;

section! {
    /// Operations that are carried rather than understood: files, audio, pictures, batches, realtime, pass-through.
    Relay {
        /// For the whole of a request: its body, the provider's work, and the answer.
        timeout: Duration, default "3600s";
        /// From the end of the request to the first byte of the answer, where the provider's own limit is not longer.
        first_byte: Duration, default "300s";
        /// Bytes of a body that flows through.
        body_bytes: Size, default "4GiB";
        /// Serve `/v1/fine_tuning`.
        fine_tuning: bool, default "false";
        /// Let each caller see and use all files, batches and jobs of a provider's account, not only those that were made
        /// with the same key since the gateway started.
        shared_storage: bool, default "false";
        /// How long a realtime conversation may go on without a word from either side.
        realtime_idle: Duration, default "300s";
    }
}
