//! Attributes and items, as Jinja2's Environment looks them up.

use std::rc::Rc;

use super::fault::Res;
use super::methods;
use super::meter::Meter;
use super::ops::{item, missing};
use super::strings::string_repr;
use super::value::{Key, Value};

/// What lookups need to know.
pub struct Lookup<'a> {
    pub meter: &'a Meter,
    pub strict: bool,    // an undefined value is an error where it is used
    pub immutable: bool, // lists and dicts cannot be changed
}

impl Lookup<'_> {
    pub fn undefined_name(&self, name: &str) -> Value {
        missing(format!("'{name}' is undefined"), self.strict)
    }

    fn undefined_member(&self, owner: &Value, key: &Value) -> Value {
        let message = match key {
            Value::Str(name) => {
                let name: String = name.chars().take(100).collect();
                format!("'{} object' has no attribute {}", owner.type_name(), string_repr(&name))
            }
            Value::Int(index) => format!("{} object has no element {index}", owner.type_name()),
            other => format!("{} object has no element of type {}", owner.type_name(), other.type_name()),
        };
        missing(message, self.strict)
    }
}

/// What Python's getattr finds: methods, and the fields of Jinja's own objects.
fn member(owner: &Value, name: &str, lookup: &Lookup) -> Res<Option<Value>> {
    Ok(match owner {
        Value::Namespace(dict) => dict.0.borrow().get(&Key::text(name)).cloned(),
        Value::Loop(state) => methods::loop_field(state, name, lookup),
        Value::Macro(definition) if name == "name" => Some(Value::Str(definition.node.name.clone())),
        Value::Cycler(_) if matches!(name, "next" | "reset" | "current") => {
            return methods::cycler_field(owner, name).map(Some)
        }
        _ if !methods::exists(owner, name) => None,
        _ if lookup.immutable && methods::changes(owner, name) => {
            let kind = owner.type_name();
            Some(missing(format!("access to attribute '{name}' of '{kind}' object is unsafe"), false))
        }
        _ => {
            Some(Value::Method(Rc::new((owner.clone(), name.into()))))
        }
    })
}

/// `owner.name`: an attribute, else an item.
pub fn attribute(owner: &Value, name: &str, lookup: &Lookup) -> Res<Value> {
    owner.need_defined()?;
    if let Some(value) = member(owner, name, lookup)? {
        return Ok(value);
    }
    let key = Value::text(name);
    Ok(item(owner, &key, lookup.meter)?.unwrap_or_else(|| lookup.undefined_member(owner, &key)))
}

/// `owner[key]`: an item, else an attribute.
pub fn attribute_or_item(owner: &Value, key: &Value, lookup: &Lookup) -> Res<Value> {
    owner.need_defined()?;
    if let Some(value) = item(owner, key, lookup.meter)? {
        return Ok(value);
    }
    if let Value::Str(name) = key {
        if let Some(value) = member(owner, name, lookup)? {
            return Ok(value);
        }
    }
    Ok(lookup.undefined_member(owner, key))
}

/// A dotted path of attributes, as `map(attribute='a.0.b')` takes it.
pub fn path(owner: &Value, attribute: &Value, default: Option<&Value>, lookup: &Lookup) -> Res<Value> {
    let parts: Vec<Value> = match attribute {
        Value::Str(text) => {
            let part = |part: &str| part.parse().map_or_else(|_| Value::text(part), Value::Int);
            text.split('.').map(part).collect()
        }
        other => vec![other.clone()],
    };
    let mut value = owner.clone();
    for part in &parts {
        value = attribute_or_item(&value, part, lookup)?;
        if let (true, Some(default)) = (value.is_undefined(), default) {
            value = default.clone();
        }
    }
    Ok(value)
}
