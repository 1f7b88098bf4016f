//! What the C functions share: text in and out, memory, errors.
//!
//! Memory handed out comes from malloc, so that one function frees ids and text alike.

use std::any::Any;
use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::{ptr, slice, str};

extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

/// Copies `items` into malloc'ed memory with one zeroed item after them (the NUL of a text).
pub fn hand_out<T: Copy>(items: &[T]) -> *mut T {
    let bytes = size_of_val(items);
    unsafe {
        let memory = malloc(bytes + size_of::<T>()).cast::<T>();
        assert!(!memory.is_null(), "out of memory");
        ptr::copy_nonoverlapping(items.as_ptr(), memory, items.len());
        ptr::write_bytes(memory.add(items.len()), 0, 1);
        memory
    }
}

pub unsafe fn text_of<'a>(text: *const c_char, length: usize) -> Result<&'a str, String> {
    str::from_utf8(items_of(text.cast::<u8>(), length)).map_err(|e| format!("text is not UTF-8: {e}"))
}

pub unsafe fn items_of<'a, T>(items: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        &[]
    } else {
        slice::from_raw_parts(items, count)
    }
}

fn panic_message(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("internal error: {}", text.unwrap_or_default())
}

/// Runs `body`, turning an error or a panic into a message in `error`.
pub unsafe fn guarded<T>(
    error: *mut *mut c_char,
    body: impl FnOnce() -> Result<T, String>,
) -> Option<T> {
    let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|p| Err(panic_message(p)));
    let (value, message) = match outcome {
        Ok(value) => (Some(value), None),
        Err(message) => (None, Some(message)),
    };
    if !error.is_null() {
        *error = message.map_or(ptr::null_mut(), |m| hand_out(m.as_bytes()).cast());
    }
    value
}

/// Text for the caller with its length; NULL on failure.
pub unsafe fn guarded_text(
    length: *mut usize,
    error: *mut *mut c_char,
    body: impl FnOnce() -> Result<String, String>,
) -> *mut c_char {
    let text = guarded(error, || {
        let text = body()?;
        *length = text.len();
        Ok(hand_out(text.as_bytes()).cast())
    });
    text.unwrap_or(ptr::null_mut())
}

/// Drops what a `Box::into_raw` gave the caller.
pub unsafe fn drop_boxed<T>(object: *mut T) {
    if !object.is_null() {
        guarded(ptr::null_mut(), || {
            drop(Box::from_raw(object));
            Ok(())
        });
    }
}

#[no_mangle]
pub unsafe extern "C" fn crucible_native_release(memory: *mut c_void) {
    free(memory);
}
