//! The C functions of templates and Python literals.

use std::ffi::c_char;
use std::ptr;

use super::fault::{Fault, Kind};
use super::meter::{Budget, Meter};
use super::{json, literal, print, Dialect, Template};
use crate::ffi::{drop_boxed, guarded, guarded_text, text_of};

const UNLIMITED: Budget =
    Budget { steps: u64::MAX, output_bytes: u64::MAX, memory_bytes: u64::MAX };

fn parse_json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("the variables are no JSON: {error}"))
}

#[no_mangle]
pub unsafe extern "C" fn crucible_template_compile(
    source: *const c_char,
    length: usize,
    chat: bool,
    error: *mut *mut c_char,
) -> *mut Template {
    let compiled = guarded(error, || {
        let dialect = if chat { Dialect::Chat } else { Dialect::Task };
        let template = Template::compile(text_of(source, length)?, dialect);
        Ok(Box::into_raw(Box::new(template.map_err(|fault| fault.describe())?)))
    });
    compiled.unwrap_or(ptr::null_mut())
}

#[no_mangle]
pub unsafe extern "C" fn crucible_template_free(template: *mut Template) {
    drop_boxed(template);
}

#[no_mangle]
pub unsafe extern "C" fn crucible_template_render(
    template: *const Template,
    variables: *const c_char,
    variables_length: usize,
    budget: *const Budget,
    length: *mut usize,
    over_budget: *mut bool,
    error: *mut *mut c_char,
) -> *mut c_char {
    *over_budget = false;
    guarded_text(length, error, || {
        let variables = parse_json(text_of(variables, variables_length)?)?;
        (*template).render(&variables, *budget).map_err(|fault: Fault| {
            *over_budget = fault.kind == Kind::OverBudget;
            fault.describe()
        })
    })
}

#[no_mangle]
pub unsafe extern "C" fn crucible_python_literal(
    text: *const c_char,
    text_length: usize,
    length: *mut usize,
    error: *mut *mut c_char,
) -> *mut c_char {
    guarded_text(length, error, || {
        let value = literal::parse(text_of(text, text_length)?).and_then(|value| json::to_json(&value));
        Ok(value.map_err(|fault| fault.describe())?.to_string())
    })
}

#[no_mangle]
pub unsafe extern "C" fn crucible_python_print(
    json: *const c_char,
    json_length: usize,
    repr: bool,
    length: *mut usize,
    error: *mut *mut c_char,
) -> *mut c_char {
    guarded_text(length, error, || {
        let value = json::from_json(&parse_json(text_of(json, json_length)?)?);
        let meter = Meter::new(UNLIMITED);
        let text = if repr { print::repr_of(&value, &meter) } else { print::text_of(&value, &meter) };
        text.map_err(|fault| fault.describe())
    })
}
