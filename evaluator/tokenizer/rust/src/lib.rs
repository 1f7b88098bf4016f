//! C interface of the Hugging Face `tokenizers` library; crucible_tokenizers.h documents it.
//!
//! Memory handed out comes from malloc, so that one function frees ids and text alike.

use std::any::Any;
use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::{ptr, slice, str};

use tokenizers::Tokenizer;

extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

/// Copies `items` into malloc'ed memory with one zeroed item after them (the NUL of a text).
fn hand_out<T: Copy>(items: &[T]) -> *mut T {
    let bytes = size_of_val(items);
    unsafe {
        let memory = malloc(bytes + size_of::<T>()).cast::<T>();
        assert!(!memory.is_null(), "out of memory");
        ptr::copy_nonoverlapping(items.as_ptr(), memory, items.len());
        ptr::write_bytes(memory.add(items.len()), 0, 1);
        memory
    }
}

unsafe fn text_of<'a>(text: *const c_char, length: usize) -> Result<&'a str, String> {
    str::from_utf8(items_of(text.cast::<u8>(), length)).map_err(|e| format!("text is not UTF-8: {e}"))
}

unsafe fn items_of<'a, T>(items: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        &[]
    } else {
        slice::from_raw_parts(items, count)
    }
}

fn panic_message(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("internal error in tokenizers: {}", text.unwrap_or_default())
}

/// Runs `body`, turning an error or a panic into a message in `error`.
unsafe fn guarded<T>(error: *mut *mut c_char, body: impl FnOnce() -> Result<T, String>) -> Option<T> {
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

#[no_mangle]
pub unsafe extern "C" fn crucible_tokenizer_load(
    json: *const c_char,
    length: usize,
    error: *mut *mut c_char,
) -> *mut Tokenizer {
    let loaded = guarded(error, || {
        let mut tokenizer =
            Tokenizer::from_bytes(items_of(json.cast::<u8>(), length)).map_err(|e| e.to_string())?;
        tokenizer.with_truncation(None).map_err(|e| e.to_string())?;
        tokenizer.with_padding(None);
        Ok(Box::into_raw(Box::new(tokenizer)))
    });
    loaded.unwrap_or(ptr::null_mut())
}

#[no_mangle]
pub unsafe extern "C" fn crucible_tokenizer_free(tokenizer: *mut Tokenizer) {
    if !tokenizer.is_null() {
        guarded(ptr::null_mut(), || {
            drop(Box::from_raw(tokenizer));
            Ok(())
        });
    }
}

#[no_mangle]
pub unsafe extern "C" fn crucible_tokenizer_encode(
    tokenizer: *const Tokenizer,
    text: *const c_char,
    length: usize,
    add_special: bool,
    ids: *mut *mut u32,
    count: *mut usize,
    error: *mut *mut c_char,
) -> bool {
    let encoded = guarded(error, || {
        let text = text_of(text, length)?;
        let encoding = (*tokenizer).encode_fast(text, add_special).map_err(|e| e.to_string())?;
        *ids = hand_out(encoding.get_ids());
        *count = encoding.len();
        Ok(())
    });
    encoded.is_some()
}

#[no_mangle]
pub unsafe extern "C" fn crucible_tokenizer_decode(
    tokenizer: *const Tokenizer,
    ids: *const u32,
    count: usize,
    skip_special: bool,
    length: *mut usize,
    error: *mut *mut c_char,
) -> *mut c_char {
    let decoded = guarded(error, || {
        let text =
            (*tokenizer).decode(items_of(ids, count), skip_special).map_err(|e| e.to_string())?;
        *length = text.len();
        Ok(hand_out(text.as_bytes()).cast())
    });
    decoded.unwrap_or(ptr::null_mut())
}

#[no_mangle]
pub unsafe extern "C" fn crucible_tokenizer_token_to_id(
    tokenizer: *const Tokenizer,
    token: *const c_char,
    length: usize,
) -> i64 {
    let id = guarded(ptr::null_mut(), || Ok((*tokenizer).token_to_id(text_of(token, length)?)));
    id.flatten().map_or(-1, i64::from)
}

#[no_mangle]
pub unsafe extern "C" fn crucible_tokenizer_id_to_token(
    tokenizer: *const Tokenizer,
    id: u32,
    length: *mut usize,
) -> *mut c_char {
    let token = guarded(ptr::null_mut(), || {
        Ok((*tokenizer).id_to_token(id).map(|token| {
            *length = token.len();
            hand_out(token.as_bytes()).cast()
        }))
    });
    token.flatten().unwrap_or(ptr::null_mut())
}

#[no_mangle]
pub unsafe extern "C" fn crucible_tokenizer_vocab_size(
    tokenizer: *const Tokenizer,
    with_added: bool,
) -> usize {
    guarded(ptr::null_mut(), || Ok((*tokenizer).get_vocab_size(with_added))).unwrap_or(0)
}

#[no_mangle]
pub unsafe extern "C" fn crucible_tokenizer_release(memory: *mut c_void) {
    free(memory);
}
