//! Jinja2's tests, what stands behind `is`.

use super::ast::Operator;
use super::fault::{invalid, Res};
use super::ops::{arithmetic, compare};
use super::render::Renderer;
use super::string_methods::{is_lower, is_upper};
use super::value::{same, Value};
use super::{filters, print};

const NAMES: [&str; 39] = [
    "!=", "<", "<=", "==", ">", ">=", "boolean", "callable", "defined", "divisibleby", "eq", "equalto",
    "escaped", "even", "false", "filter", "float", "ge", "greaterthan", "gt", "in", "integer",
    "iterable", "le", "lessthan", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sameas",
    "sequence", "string", "test", "true", "undefined", "upper",
];

pub fn call(renderer: &Renderer, name: &str, value: &Value, arguments: &[Value]) -> Res<bool> {
    let Ok(_) = NAMES.binary_search(&name) else {
        return invalid(format!("there is no test named '{name}'"));
    };
    let two = matches!(
        name,
        "==" | "eq" | "equalto" | "!=" | "ne" | ">" | "gt" | "greaterthan" | ">=" | "ge" | "<" | "lt"
            | "lessthan" | "<=" | "le" | "in" | "divisibleby" | "sameas"
    );
    if arguments.len() != two as usize {
        return invalid(format!("the test '{name}' takes {} arguments", two as usize));
    }
    if two {
        return binary(renderer, name, value, &arguments[0]);
    }
    match name {
        "odd" | "even" => {
            let rest = arithmetic(Operator::Mod, value, &Value::Int(2), renderer.lookup.meter)?;
            let odd = compare(Operator::Eq, &rest, &Value::Int(1), renderer.lookup.meter)?;
            let even = compare(Operator::Eq, &rest, &Value::Int(0), renderer.lookup.meter)?;
            Ok(if name == "odd" { odd } else { even })
        }
        "lower" => Ok(is_lower(&print::text_of(value, renderer.lookup.meter)?)),
        "upper" => Ok(is_upper(&print::text_of(value, renderer.lookup.meter)?)),
        "filter" => Ok(value.as_str().is_some_and(|name| filters::exists(name, renderer.dialect))),
        "test" => Ok(value.as_str().is_some_and(|name| NAMES.binary_search(&name).is_ok())),
        "sequence" if value.use_value().is_err() => Ok(false),
        "iterable" => {
            value.use_value()?;
            Ok(by_type(name, value))
        }
        _ => Ok(by_type(name, value)),
    }
}

fn binary(renderer: &Renderer, name: &str, value: &Value, argument: &Value) -> Res<bool> {
    let meter = renderer.lookup.meter;
    let operator = match name {
        "sameas" => return Ok(same(value, argument)),
        "divisibleby" => {
            let rest = arithmetic(Operator::Mod, value, argument, meter)?;
            return compare(Operator::Eq, &rest, &Value::Int(0), meter);
        }
        "in" => Operator::In,
        "==" | "eq" | "equalto" => Operator::Eq,
        "!=" | "ne" => Operator::Ne,
        ">" | "gt" | "greaterthan" => Operator::Gt,
        ">=" | "ge" => Operator::Ge,
        "<" | "lt" | "lessthan" => Operator::Lt,
        _ => Operator::Le,
    };
    compare(operator, value, argument, meter)
}

fn by_type(name: &str, value: &Value) -> bool {
    match name {
        "defined" => !value.is_undefined(),
        "undefined" => value.is_undefined(),
        "none" => matches!(value, Value::None),
        "boolean" => matches!(value, Value::Bool(_)),
        "true" => matches!(value, Value::Bool(true)),
        "false" => matches!(value, Value::Bool(false)),
        "integer" => matches!(value, Value::Int(_)),
        "float" => matches!(value, Value::Float(_)),
        "number" => matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_)),
        "string" => matches!(value, Value::Str(_)),
        "mapping" => matches!(value, Value::Dict(_)),
        "callable" => {
            matches!(value, Value::Function(_) | Value::Method(_) | Value::Macro(_) | Value::Joiner(_) | Value::Loop(_))
        }
        "sequence" => matches!(
            value,
            Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Range(_)
                | Value::Undefined(_)
        ),
        "iterable" => matches!(
            value,
            Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Range(_)
                | Value::View(_) | Value::Iterator(_) | Value::Loop(_) | Value::Undefined(_)
        ),
        _ => false, // escaped: nothing is marked safe
    }
}
