//! Operators, indices and iteration.

use std::cmp::Ordering;
use std::rc::Rc;

use super::ast::Operator;
use super::fault::{invalid, Kind, Res};
use super::format::percent;
use super::meter::Meter;
use super::strings::slice_indices;
use super::value::{equal, Cells, Key, Missing, Number, Range, Value};

/// What indices and ranges are held to, so that no arithmetic on them overflows.
pub const FARTHEST: i128 = i64::MAX as i128;

const VALUE_BYTES: usize = size_of::<Value>();

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "+",
        Operator::Sub => "-",
        Operator::Mul => "*",
        Operator::Div => "/",
        Operator::FloorDiv => "//",
        Operator::Mod => "%",
        Operator::Pow => "**",
        Operator::Eq => "==",
        Operator::Ne => "!=",
        Operator::Lt => "<",
        Operator::Le => "<=",
        Operator::Gt => ">",
        Operator::Ge => ">=",
        Operator::In => "in",
        Operator::NotIn => "not in",
    }
}

pub fn arithmetic(operator: Operator, a: &Value, b: &Value, meter: &Meter) -> Res<Value> {
    a.need_defined()?;
    if let (Operator::Mod, Value::Str(pattern)) = (operator, a) {
        return Ok(Value::text(percent(pattern, b, meter)?));
    }
    b.need_defined()?;
    if let (Some(x), Some(y)) = (a.as_number(), b.as_number()) {
        return match (x, y) {
            (Number::Int(x), Number::Int(y)) => integer_arithmetic(operator, x, y),
            (x, y) => float_arithmetic(operator, x.float(), y.float()).map(Value::Float),
        };
    }
    match (operator, a, b) {
        (Operator::Add, Value::Str(x), Value::Str(y)) => {
            meter.allocate(x.len() + y.len())?;
            Ok(Value::text([&**x, &**y].concat()))
        }
        (Operator::Add, Value::List(x), Value::List(y)) => Ok(Value::list(joined(x, y, meter)?)),
        (Operator::Add, Value::Tuple(x), Value::Tuple(y)) => Ok(Value::tuple(joined(x, y, meter)?)),
        (Operator::Mul, sequence, count) if count.as_int().is_some() => {
            repeated(sequence, count.as_int().unwrap_or(0), a, b, meter)
        }
        (Operator::Mul, count, sequence) if count.as_int().is_some() => {
            repeated(sequence, count.as_int().unwrap_or(0), a, b, meter)
        }
        _ => unsupported(operator, a, b),
    }
}

fn unsupported(operator: Operator, a: &Value, b: &Value) -> Res<Value> {
    invalid(format!(
        "unsupported operand types for {}: '{}' and '{}'",
        symbol(operator),
        a.type_name(),
        b.type_name()
    ))
}

fn joined(x: &Cells, y: &Cells, meter: &Meter) -> Res<Vec<Value>> {
    let (x, y) = (x.0.borrow(), y.0.borrow());
    charge_items(x.len() + y.len(), meter)?;
    Ok(x.iter().chain(y.iter()).cloned().collect())
}

/// Before `count` values are made or gone through.
pub fn charge_items(count: usize, meter: &Meter) -> Res<()> {
    meter.step(count)?;
    meter.allocate(count.saturating_mul(VALUE_BYTES))
}

fn repeated(sequence: &Value, count: i128, a: &Value, b: &Value, meter: &Meter) -> Res<Value> {
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    match sequence {
        Value::Str(text) => {
            meter.allocate(text.len().saturating_mul(count))?;
            Ok(Value::text(text.repeat(if text.is_empty() { 0 } else { count })))
        }
        Value::List(cells) | Value::Tuple(cells) => {
            let cells = cells.0.borrow();
            charge_items(cells.len().saturating_mul(count), meter)?;
            let count = if cells.is_empty() { 0 } else { count };
            let items = (0..count).flat_map(|_| cells.iter().cloned()).collect();
            Ok(if matches!(sequence, Value::List(_)) { Value::list(items) } else { Value::tuple(items) })
        }
        _ => unsupported(Operator::Mul, a, b),
    }
}

fn integer_arithmetic(operator: Operator, x: i128, y: i128) -> Res<Value> {
    if y == 0 && matches!(operator, Operator::Div | Operator::FloorDiv | Operator::Mod) {
        return invalid("division by zero");
    }
    let result = match operator {
        Operator::Add => x.checked_add(y),
        Operator::Sub => x.checked_sub(y),
        Operator::Mul => x.checked_mul(y),
        Operator::Div => return Ok(Value::Float(x as f64 / y as f64)),
        // Rounded down, the remainder with the divisor's sign.
        Operator::FloorDiv => x.checked_div(y).map(|q| q - ((x % y != 0 && (x < 0) != (y < 0)) as i128)),
        Operator::Mod => x.checked_rem(y).map(|r| if r != 0 && (r < 0) != (y < 0) { r + y } else { r }),
        Operator::Pow if y < 0 && x == 0 => return invalid("0.0 cannot be raised to a negative power"),
        Operator::Pow if y < 0 => return Ok(Value::Float((x as f64).powf(y as f64))),
        Operator::Pow => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
        _ => None,
    };
    match result {
        Some(value) => Ok(Value::Int(value)),
        None => invalid("an integer is larger than 128 bits"),
    }
}

fn float_arithmetic(operator: Operator, x: f64, y: f64) -> Res<f64> {
    if y == 0.0 && matches!(operator, Operator::Div | Operator::FloorDiv | Operator::Mod) {
        return invalid("float division by zero");
    }
    Ok(match operator {
        Operator::Add => x + y,
        Operator::Sub => x - y,
        Operator::Mul => x * y,
        Operator::Div => x / y,
        Operator::FloorDiv => (x / y).floor(),
        Operator::Mod => {
            let rest = x % y;
            if rest != 0.0 && (rest < 0.0) != (y < 0.0) {
                rest + y
            } else {
                rest
            }
        }
        _ => x.powf(y),
    })
}

pub fn compare(operator: Operator, a: &Value, b: &Value, meter: &Meter) -> Res<bool> {
    meter.step(1)?;
    match operator {
        Operator::Eq => equal(a, b, meter),
        Operator::Ne => Ok(!equal(a, b, meter)?),
        Operator::In => contains(b, a, meter),
        Operator::NotIn => Ok(!contains(b, a, meter)?),
        _ => {
            let ordering = order(a, b, operator, 50, meter)?;
            Ok(ordering.is_some_and(|ordering| match operator {
                Operator::Lt => ordering.is_lt(),
                Operator::Le => ordering.is_le(),
                Operator::Gt => ordering.is_gt(),
                _ => ordering.is_ge(),
            }))
        }
    }
}

/// None: a NaN is in it.
pub fn order(
    a: &Value,
    b: &Value,
    operator: Operator,
    depth: u32,
    meter: &Meter,
) -> Res<Option<Ordering>> {
    meter.step(1 + a.as_str().map_or(0, str::len) / 64)?;
    a.need_defined()?;
    b.need_defined()?;
    if let (Some(x), Some(y)) = (a.as_number(), b.as_number()) {
        return Ok(match (x, y) {
            (Number::Int(x), Number::Int(y)) => Some(x.cmp(&y)),
            (x, y) => x.float().partial_cmp(&y.float()),
        });
    }
    match (a, b) {
        (Value::Str(x), Value::Str(y)) => Ok(Some(x.cmp(y))),
        (Value::List(x), Value::List(y)) | (Value::Tuple(x), Value::Tuple(y)) if depth > 0 => {
            let (x, y) = (x.0.borrow(), y.0.borrow());
            for (a, b) in x.iter().zip(y.iter()) {
                if !equal(a, b, meter)? {
                    return order(a, b, operator, depth - 1, meter);
                }
            }
            Ok(Some(x.len().cmp(&y.len())))
        }
        _ => invalid(format!(
            "'{}' not supported between instances of '{}' and '{}'",
            symbol(operator),
            a.type_name(),
            b.type_name()
        )),
    }
}

pub fn contains(container: &Value, item: &Value, meter: &Meter) -> Res<bool> {
    container.use_value()?;
    match container {
        Value::Str(text) => {
            item.need_defined()?;
            match item {
                Value::Str(part) => {
                    meter.step(1 + text.len() / 64)?;
                    Ok(text.contains(&**part))
                }
                other => invalid(format!(
                    "'in <string>' requires string as left operand, not {}",
                    other.type_name()
                )),
            }
        }
        Value::Dict(dict) => Ok(dict.0.borrow().contains_key(&Key::new(item.clone(), meter)?)),
        Value::Range(range) => Ok(item.as_int().is_some_and(|value| {
            let offset = value.clamp(-2 * FARTHEST, 2 * FARTHEST) - range.start;
            offset % range.step == 0 && (0..range.length).contains(&(offset / range.step))
        })),
        Value::Undefined(_) => Ok(false),
        _ => {
            for candidate in iterate(container, meter)? {
                if equal(&candidate, item, meter)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// All items; what is left of a generator.
pub fn iterate(value: &Value, meter: &Meter) -> Res<Vec<Value>> {
    value.use_value()?;
    let items = match value {
        Value::Undefined(_) => Vec::new(),
        Value::List(cells) | Value::Tuple(cells) => {
            charge_items(cells.0.borrow().len(), meter)?;
            cells.0.borrow().clone()
        }
        Value::View(view) => {
            charge_items(view.items.0.borrow().len(), meter)?;
            view.items.0.borrow().clone()
        }
        Value::Iterator(cells) => std::mem::take(&mut *cells.0.borrow_mut()),
        Value::Dict(dict) => {
            charge_items(dict.0.borrow().len(), meter)?;
            dict.0.borrow().keys().map(|key| key.value().clone()).collect()
        }
        Value::Str(text) => {
            charge_items(text.chars().count(), meter)?;
            text.chars().map(|c| Value::text(c.encode_utf8(&mut [0; 4]))).collect()
        }
        Value::Range(range) => {
            charge_items(usize::try_from(range.length).unwrap_or(usize::MAX), meter)?;
            (0..range.length).map(|index| Value::Int(range.start + index * range.step)).collect()
        }
        other => return invalid(format!("'{}' object is not iterable", other.type_name())),
    };
    Ok(items)
}

pub fn length(value: &Value) -> Res<usize> {
    value.use_value()?;
    Ok(match value {
        Value::Undefined(_) => 0,
        Value::Str(text) => text.chars().count(),
        Value::List(cells) | Value::Tuple(cells) => cells.0.borrow().len(),
        Value::Dict(dict) => dict.0.borrow().len(),
        Value::View(view) => view.items.0.borrow().len(),
        Value::Loop(state) => state.items.0.borrow().len(),
        Value::Range(range) => usize::try_from(range.length).unwrap_or(usize::MAX),
        other => return invalid(format!("object of type '{}' has no len()", other.type_name())),
    })
}

/// `container[index]`; None when there is no such item.
pub fn item(container: &Value, index: &Value, meter: &Meter) -> Res<Option<Value>> {
    container.need_defined()?;
    let position = |length: usize| {
        let index = index.as_int()?;
        let index = if index < 0 { index + length as i128 } else { index };
        usize::try_from(index).ok().filter(|index| *index < length)
    };
    Ok(match container {
        Value::List(cells) | Value::Tuple(cells) => {
            let cells = cells.0.borrow();
            position(cells.len()).map(|index| cells[index].clone())
        }
        Value::Str(text) if text.is_ascii() => {
            position(text.len()).map(|index| Value::text(&text[index..index + 1]))
        }
        Value::Str(text) => {
            let count = text.chars().count();
            meter.step(1 + count / 64)?;
            let found = position(count).and_then(|index| text.chars().nth(index));
            found.map(|c| Value::text(c.encode_utf8(&mut [0; 4])))
        }
        Value::Range(range) => position(usize::try_from(range.length).unwrap_or(usize::MAX))
            .map(|index| Value::Int(range.start + index as i128 * range.step)),
        Value::Dict(dict) => match Key::new(index.clone(), meter) {
            Ok(key) => dict.0.borrow().get(&key).cloned(),
            Err(fault) if index.is_undefined() || fault.kind == Kind::OverBudget => return Err(fault),
            Err(_) => None,
        },
        _ => None,
    })
}

/// `container[start:stop:step]`.
pub fn slice(container: &Value, bounds: [Option<Value>; 3], meter: &Meter) -> Res<Value> {
    container.need_defined()?;
    let mut numbers = [None; 3];
    for (number, bound) in numbers.iter_mut().zip(&bounds) {
        *number = match bound {
            None | Some(Value::None) => None,
            Some(value) => match value.as_int() {
                Some(value) => Some(value.clamp(-FARTHEST, FARTHEST)),
                None => return invalid("slice indices must be integers or None"),
            },
        };
    }
    if !matches!(container, Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Range(_)) {
        return invalid(format!("'{}' object has no slices", container.type_name()));
    }
    let step = numbers[2].unwrap_or(1);
    if step == 0 {
        return invalid("slice step cannot be zero");
    }
    let (start, step, count) = slice_indices(length(container)? as i128, numbers[0], numbers[1], step);
    charge_items(count as usize, meter)?;
    let indices = (0..count).map(|index| (start + index * step) as usize);
    Ok(match container {
        Value::Str(text) => {
            let chars: Vec<char> = text.chars().collect();
            Value::text(indices.map(|index| chars[index]).collect::<String>())
        }
        Value::List(cells) => Value::list(indices.map(|i| cells.0.borrow()[i].clone()).collect()),
        Value::Tuple(cells) => Value::tuple(indices.map(|i| cells.0.borrow()[i].clone()).collect()),
        Value::Range(range) => Value::Range(Rc::new(Range {
            start: range.start.saturating_add(start.saturating_mul(range.step)),
            step: range.step.saturating_mul(step),
            length: count,
        })),
        _ => Value::None, // the kinds were told above
    })
}

pub fn missing(message: String, strict: bool) -> Value {
    Value::Undefined(Rc::new(Missing { message, strict }))
}
