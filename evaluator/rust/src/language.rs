//! Which language a text is in, as langdetect 1.0.9 says it.

use std::ffi::c_char;
use std::sync::OnceLock;

use langdetect::{Compat, DetectorFactory, Seed};

use crate::ffi::{guarded_text, text_of};

/// The language profiles, with langdetect's random walk begun at seed 0 every time.
fn detectors() -> &'static DetectorFactory {
    static DETECTORS: OnceLock<DetectorFactory> = OnceLock::new();
    DETECTORS.get_or_init(|| {
        let mut factory = DetectorFactory::new(Compat::python(11));
        // They are in the crate: what may fail with others cannot fail with these.
        let loaded = factory.load_builtin(&DetectorFactory::builtin_files());
        debug_assert!(loaded.is_ok());
        factory.seed = Seed::int(0);
        factory
    })
}

#[no_mangle]
pub unsafe extern "C" fn crucible_detect_language(
    text: *const c_char,
    text_length: usize,
    length: *mut usize,
    error: *mut *mut c_char,
) -> *mut c_char {
    guarded_text(length, error, || {
        let text = text_of(text, text_length)?;
        detectors().detect(text).map_err(|error| error.to_string())
    })
}
