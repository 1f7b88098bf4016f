//! Which language a text is in, by the `whatlang` crate.

use std::ffi::c_char;

use whatlang::Lang;

use crate::ffi::{guarded, text_of};

/// ISO 639-1 codes, NUL-terminated, of the languages that whatlang knows.
fn code_of(language: Lang) -> &'static [u8] {
    match language {
        Lang::Epo => b"eo\0",
        Lang::Eng => b"en\0",
        Lang::Rus => b"ru\0",
        Lang::Cmn => b"zh\0",
        Lang::Spa => b"es\0",
        Lang::Por => b"pt\0",
        Lang::Ita => b"it\0",
        Lang::Ben => b"bn\0",
        Lang::Fra => b"fr\0",
        Lang::Deu => b"de\0",
        Lang::Ukr => b"uk\0",
        Lang::Kat => b"ka\0",
        Lang::Ara => b"ar\0",
        Lang::Hin => b"hi\0",
        Lang::Jpn => b"ja\0",
        Lang::Heb => b"he\0",
        Lang::Yid => b"yi\0",
        Lang::Pol => b"pl\0",
        Lang::Amh => b"am\0",
        Lang::Jav => b"jv\0",
        Lang::Kor => b"ko\0",
        Lang::Nob => b"no\0",
        Lang::Dan => b"da\0",
        Lang::Swe => b"sv\0",
        Lang::Fin => b"fi\0",
        Lang::Tur => b"tr\0",
        Lang::Nld => b"nl\0",
        Lang::Hun => b"hu\0",
        Lang::Ces => b"cs\0",
        Lang::Ell => b"el\0",
        Lang::Bul => b"bg\0",
        Lang::Bel => b"be\0",
        Lang::Mar => b"mr\0",
        Lang::Kan => b"kn\0",
        Lang::Ron => b"ro\0",
        Lang::Slv => b"sl\0",
        Lang::Hrv => b"hr\0",
        Lang::Srp => b"sr\0",
        Lang::Mkd => b"mk\0",
        Lang::Lit => b"lt\0",
        Lang::Lav => b"lv\0",
        Lang::Est => b"et\0",
        Lang::Tam => b"ta\0",
        Lang::Vie => b"vi\0",
        Lang::Urd => b"ur\0",
        Lang::Tha => b"th\0",
        Lang::Guj => b"gu\0",
        Lang::Uzb => b"uz\0",
        Lang::Pan => b"pa\0",
        Lang::Aze => b"az\0",
        Lang::Ind => b"id\0",
        Lang::Tel => b"te\0",
        Lang::Pes => b"fa\0",
        Lang::Mal => b"ml\0",
        Lang::Ori => b"or\0",
        Lang::Mya => b"my\0",
        Lang::Nep => b"ne\0",
        Lang::Sin => b"si\0",
        Lang::Khm => b"km\0",
        Lang::Tuk => b"tk\0",
        Lang::Aka => b"ak\0",
        Lang::Zul => b"zu\0",
        Lang::Sna => b"sn\0",
        Lang::Afr => b"af\0",
        Lang::Lat => b"la\0",
        Lang::Slk => b"sk\0",
        Lang::Cat => b"ca\0",
        Lang::Tgl => b"tl\0",
        Lang::Hye => b"hy\0",
        _ => b"\0",
    }
}

#[no_mangle]
pub unsafe extern "C" fn crucible_detect_language(text: *const c_char, length: usize) -> *const c_char {
    let code = guarded(std::ptr::null_mut(), || {
        Ok(whatlang::detect_lang(text_of(text, length)?).map_or(b"\0".as_slice(), code_of))
    });
    code.unwrap_or(b"\0").as_ptr().cast()
}
