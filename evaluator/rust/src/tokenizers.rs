//! C interface of the Hugging Face `tokenizers` library.

use std::ffi::c_char;
use std::ptr;

use ::tokenizers::Tokenizer;

use crate::ffi::{drop_boxed, guarded, guarded_text, hand_out, items_of, text_of};

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
    drop_boxed(tokenizer);
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
    guarded_text(length, error, || {
        (*tokenizer).decode(items_of(ids, count), skip_special).map_err(|e| e.to_string())
    })
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
