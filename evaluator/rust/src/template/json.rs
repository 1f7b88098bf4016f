//! Values from and to JSON text.

use serde_json::{Map, Number, Value as Json};

use super::fault::{invalid, Res};
use super::value::{Dict, Key, Value};

pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value as i128),
            (_, Some(value)) => Value::Int(value as i128),
            _ => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::list(items.iter().map(from_json).collect()),
        Json::Object(entries) => {
            let entry = |(key, value): (&String, &Json)| (Key::text(key), from_json(value));
            Value::dict(entries.iter().map(entry).collect::<Dict>())
        }
    }
}

/// Tuples become lists; keys must be strings, or become str(key).
pub fn to_json(value: &Value) -> Res<Json> {
    Ok(match value {
        Value::None => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
            (Ok(value), _) => Json::Number(Number::from(value)),
            (_, Ok(value)) => Json::Number(Number::from(value)),
            _ => return invalid(format!("the number {value} is too large")),
        },
        Value::Float(value) => match Number::from_f64(*value) {
            Some(number) => Json::Number(number),
            None => return invalid(format!("the number {value} is not finite")),
        },
        Value::Str(text) => Json::String(text.to_string()),
        Value::List(cells) | Value::Tuple(cells) => {
            Json::Array(cells.0.borrow().iter().map(to_json).collect::<Res<_>>()?)
        }
        Value::Dict(dict) => {
            let mut object = Map::new();
            for (key, value) in dict.0.borrow().iter() {
                let name = match key.value() {
                    Value::Str(text) => text.to_string(),
                    Value::Int(value) => value.to_string(),
                    other => return invalid(format!("a key of type {} has no JSON form", other.type_name())),
                };
                object.insert(name, to_json(value)?);
            }
            Json::Object(object)
        }
        other => return invalid(format!("a {} has no JSON form", other.type_name())),
    })
}
