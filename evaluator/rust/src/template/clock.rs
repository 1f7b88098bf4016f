//! The date, as chat templates ask for it.

use std::ffi::{c_char, c_long, CStr, CString};

use super::fault::{invalid, Res};

/// C's struct tm: larger than any platform's.
#[repr(C, align(16))]
struct BrokenDownTime([u8; 256]);

extern "C" {
    fn time(out: *mut c_long) -> c_long;
    fn localtime_r(time: *const c_long, out: *mut BrokenDownTime) -> *mut BrokenDownTime;
    fn gmtime_r(time: *const c_long, out: *mut BrokenDownTime) -> *mut BrokenDownTime;
    fn strftime(out: *mut c_char, size: usize, format: *const c_char, time: *const BrokenDownTime) -> usize;
}

/// datetime.now().strftime(format). SOURCE_DATE_EPOCH, where set, is the time, in UTC, so that a
/// prompt with a date in it can be made again.
pub fn strftime_now(format: &str) -> Res<String> {
    let Ok(format) = CString::new(format) else { return invalid("strftime_now: the format holds a NUL") };
    let fixed = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    let mut now = BrokenDownTime([0; 256]);
    let mut text: [c_char; 1024] = [0; 1024];
    unsafe {
        let seconds: c_long = fixed.unwrap_or_else(|| time(std::ptr::null_mut()));
        let broken_down = if fixed.is_some() { gmtime_r } else { localtime_r };
        if broken_down(&seconds, &mut now).is_null() {
            return invalid("strftime_now: there is no such date");
        }
        strftime(text.as_mut_ptr(), text.len(), format.as_ptr(), &now);
        Ok(CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned())
    }
}
