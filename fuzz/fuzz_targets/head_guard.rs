//! Holds the guard of heads to one reading of any bytes, however the connection cuts them.
//!
//! The sources are compiled as they are, without the service: nothing of it becomes public for this. Only the answers that
//! a refusal becomes are left out.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/edge/src"]
mod edge {
    mod fields;
    #[allow(dead_code, reason = "the service asks more of it")]
    mod head_guard;
    #[allow(dead_code, reason = "the service asks more of it")]
    mod host;

    mod refusal {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Refusal {
            BareLineFeed,
            FoldedLine,
            HostMissing,
            HostRepeated,
            HostInvalid,
            LengthInvalid,
            LengthAmbiguous,
            CodingUnknown,
            ChunkInvalid,
            HeadTooLarge,
        }
    }

    use head_guard::{HeadGuard, Violation};

    /// Small enough that inputs reach it.
    const HEAD_BYTES_MAX: usize = 128;

    /// Where the guard stands after `bytes`, in slices of at most `slice_bytes`; or the violation, placed in all of
    /// `bytes`.
    fn inspect(bytes: &[u8], slice_bytes: usize) -> Result<(bool, bool), Violation> {
        let mut guard = HeadGuard::new(HEAD_BYTES_MAX);
        let mut inspected = 0;
        for slice in bytes.chunks(slice_bytes) {
            guard.inspect(slice).map_err(|violation| {
                assert!(violation.offset < slice.len(), "a violation past the bytes");
                Violation { offset: inspected + violation.offset, ..violation }
            })?;
            inspected += slice.len();
        }
        Ok((guard.is_between_requests(), guard.is_in_head()))
    }

    /// Inspects `bytes` at once and in slices, which must come to the same.
    pub fn check(bytes: &[u8], slice_bytes: usize) {
        match (inspect(bytes, usize::MAX), inspect(bytes, slice_bytes)) {
            (Ok(whole), Ok(cut)) => assert_eq!(whole, cut),
            (Err(whole), Err(cut)) => {
                assert_eq!((whole.refusal, whole.in_body), (cut.refusal, cut.in_body));
                // A line that was cut is at fault in its last part.
                assert!(whole.offset <= cut.offset);
                // What was let through before the fault is well framed by itself.
                assert!(inspect(&bytes[..whole.offset], slice_bytes).is_ok());
            }
            (whole, cut) => panic!("{whole:?} but {cut:?} in slices of {slice_bytes}"),
        }
    }
}

fuzz_target!(|input: (u8, &[u8])| edge::check(input.1, usize::from(input.0) + 1));
