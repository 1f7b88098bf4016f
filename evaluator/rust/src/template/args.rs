//! Arguments of a call, bound to parameters as Python binds them.

use super::fault::{invalid, Res};
use super::value::{Text, Value};

#[derive(Default)]
pub struct Args {
    pub positional: Vec<Value>,
    pub named: Vec<(Text, Value)>,
}

impl Args {
    pub fn of(positional: Vec<Value>) -> Args {
        Args { positional, named: Vec::new() }
    }

    /// One value a parameter, None where it was not given.
    pub fn bind<const N: usize>(self, callee: &str, names: [&str; N]) -> Res<[Option<Value>; N]> {
        if self.positional.len() > N {
            let given = self.positional.len();
            return invalid(format!("{callee}() takes at most {N} arguments ({given} given)"));
        }
        let mut bound = [const { None }; N];
        for (slot, value) in bound.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.named {
            match names.iter().position(|n| **n == *name) {
                Some(index) if bound[index].is_none() => bound[index] = Some(value),
                Some(_) => return invalid(format!("{callee}() got two values for '{name}'")),
                None => return invalid(format!("{callee}() got an unexpected argument '{name}'")),
            }
        }
        Ok(bound)
    }
}

pub fn required(value: Option<Value>, callee: &str, name: &str) -> Res<Value> {
    value.map_or_else(|| invalid(format!("{callee}() is missing its argument '{name}'")), Ok)
}

pub fn required_text(value: Option<Value>, callee: &str, name: &str) -> Res<Text> {
    match required(value, callee, name)? {
        Value::Str(text) => Ok(text),
        other => {
            other.need_defined()?;
            invalid(format!("{callee}() argument '{name}' must be str, not {}", other.type_name()))
        }
    }
}

/// None and absent alike.
pub fn optional_text(value: Option<Value>, callee: &str, name: &str) -> Res<Option<Text>> {
    match value {
        None | Some(Value::None) => Ok(None),
        given => required_text(given, callee, name).map(Some),
    }
}

pub fn optional_int(value: Option<Value>, callee: &str, name: &str) -> Res<Option<i128>> {
    match value {
        None | Some(Value::None) => Ok(None),
        Some(given) => match given.as_int() {
            Some(number) => Ok(Some(number)),
            None => {
                given.need_defined()?;
                invalid(format!("{callee}() argument '{name}' must be int, not {}", given.type_name()))
            }
        },
    }
}

pub fn optional_bool(value: Option<Value>, default: bool) -> Res<bool> {
    value.map_or(Ok(default), |value| value.truth())
}
