//! Methods of lists, dicts, cyclers and loops. string_methods.rs has those of strings.

use std::rc::Rc;

use super::args::{optional_bool, optional_int, required, Args};
use super::ast::Operator;
use super::fault::{invalid, Fault, Res};
use super::lookup::Lookup;
use super::meter::Meter;
use super::ops::{iterate, missing, order};
use super::string_methods;
use super::value::{equal, Cells, Dict, DictCell, Key, LoopState, Value};

const LIST: [&str; 11] = [
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort",
];
const DICT: [&str; 11] = [
    "clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values",
];

pub fn exists(owner: &Value, name: &str) -> bool {
    match owner {
        Value::Str(_) => string_methods::NAMES.contains(&name),
        Value::List(_) => LIST.contains(&name),
        Value::Tuple(_) => matches!(name, "count" | "index"),
        Value::Dict(_) => DICT.contains(&name),
        Value::Loop(_) => matches!(name, "cycle" | "changed"),
        Value::Int(_) | Value::Bool(_) => name == "bit_length",
        Value::Float(_) => name == "is_integer",
        _ => false,
    }
}

/// Whether a method changes its owner; the sandbox of chat templates has no such methods.
pub fn changes(owner: &Value, name: &str) -> bool {
    match owner {
        Value::List(_) => !matches!(name, "copy" | "count" | "index"),
        Value::Dict(_) => matches!(name, "clear" | "pop" | "popitem" | "setdefault" | "update"),
        _ => false,
    }
}

pub fn call(owner: &Value, name: &str, args: Args, lookup: &Lookup) -> Res<Value> {
    let changes = changes(owner, name);
    match owner {
        Value::Str(text) => string_methods::call(text, name, args, lookup),
        Value::List(cells) if changes => change_list(cells, name, args, lookup),
        Value::List(cells) | Value::Tuple(cells) => read_list(cells, name, args, lookup),
        Value::Dict(dict) if changes => change_dict(dict, name, args, lookup),
        Value::Dict(dict) => read_dict(dict, name, args, lookup),
        Value::Loop(state) => loop_method(state, name, args, lookup.meter),
        Value::Int(value) => Ok(Value::Int(128 - value.unsigned_abs().leading_zeros() as i128)),
        Value::Bool(value) => Ok(Value::Int(i128::from(*value))),
        Value::Float(value) => Ok(Value::Bool(value.fract() == 0.0)),
        Value::Cycler(_) => cycler_method(owner, name),
        _ => invalid(format!("'{name}' is not callable")),
    }
}

fn read_list(cells: &Rc<Cells>, name: &str, args: Args, lookup: &Lookup) -> Res<Value> {
    let items = iterate(&Value::List(cells.clone()), lookup.meter)?;
    if name == "copy" {
        return Ok(Value::list(items));
    }
    let [wanted] = args.bind(name, ["value"])?;
    let wanted = required(wanted, name, "value")?;
    let mut count = 0;
    for (index, item) in items.iter().enumerate() {
        if equal(item, &wanted, lookup.meter)? {
            if name == "index" {
                return Ok(Value::Int(index as i128));
            }
            count += 1;
        }
    }
    if name == "index" {
        return invalid("the value is not in the list");
    }
    Ok(Value::Int(count))
}

fn change_list(cells: &Rc<Cells>, name: &str, args: Args, lookup: &Lookup) -> Res<Value> {
    let length = cells.0.borrow().len();
    lookup.meter.allocate(size_of::<Value>())?;
    lookup.meter.step(1 + if name == "append" { 0 } else { length / 64 })?;
    match name {
        "append" => {
            let [value] = args.bind(name, ["value"])?;
            let value = required(value, name, "value")?;
            cells.0.borrow_mut().push(value);
        }
        "extend" => {
            let [values] = args.bind(name, ["values"])?;
            let values = iterate(&required(values, name, "values")?, lookup.meter)?;
            cells.0.borrow_mut().extend(values);
        }
        "insert" => {
            let [index, value] = args.bind(name, ["index", "value"])?;
            let index = optional_int(index, name, "index")?.unwrap_or(0);
            let at = if index < 0 { index.saturating_add(length as i128).max(0) } else { index };
            let value = required(value, name, "value")?;
            cells.0.borrow_mut().insert((at as usize).min(length), value);
        }
        "pop" | "remove" => {
            let at = if name == "pop" {
                let [index] = args.bind(name, ["index"])?;
                let index = optional_int(index, name, "index")?.unwrap_or(-1);
                if index < 0 { index.saturating_add(length as i128) } else { index }
            } else {
                read_list(cells, "index", args, lookup)?.as_int().unwrap_or(-1)
            };
            let Some(at) = usize::try_from(at).ok().filter(|at| *at < length) else {
                return invalid("pop index out of range");
            };
            let value = cells.0.borrow_mut().remove(at);
            return Ok(if name == "pop" { value } else { Value::None });
        }
        "reverse" => cells.0.borrow_mut().reverse(),
        "sort" => {
            let [key, reverse] = args.bind(name, ["key", "reverse"])?;
            if key.is_some_and(|key| !matches!(key, Value::None)) {
                return invalid("sort() takes no key here; use the sort filter");
            }
            let mut items = iterate(&Value::List(cells.clone()), lookup.meter)?;
            sort(&mut items, optional_bool(reverse, false)?, lookup.meter)?;
            *cells.0.borrow_mut() = items;
        }
        _ => {
            let old = std::mem::take(&mut *cells.0.borrow_mut());
            super::value::drop_flat(old);
        }
    }
    Ok(Value::None)
}

/// Python's stable sort by <.
pub fn sort(items: &mut [Value], reverse: bool, meter: &Meter) -> Res<()> {
    let mut fault: Option<Fault> = None;
    items.sort_by(|a, b| {
        let (a, b) = if reverse { (b, a) } else { (a, b) };
        match order(a, b, Operator::Lt, 50, meter) {
            Ok(ordering) => ordering.unwrap_or(std::cmp::Ordering::Equal),
            Err(error) => {
                fault.get_or_insert(error);
                std::cmp::Ordering::Equal
            }
        }
    });
    fault.map_or(Ok(()), Err)
}

fn read_dict(dict: &Rc<DictCell>, name: &str, args: Args, lookup: &Lookup) -> Res<Value> {
    let entries = dict.0.borrow();
    super::ops::charge_items(if name == "get" { 1 } else { 2 * entries.len() }, lookup.meter)?;
    match name {
        "get" => {
            let [key, default] = args.bind(name, ["key", "default"])?;
            let key = Key::new(required(key, name, "key")?, lookup.meter)?;
            Ok(entries.get(&key).cloned().or(default).unwrap_or(Value::None))
        }
        "fromkeys" => {
            let [keys, value] = args.bind(name, ["keys", "value"])?;
            let value = value.unwrap_or(Value::None);
            let mut made = Dict::new();
            for key in iterate(&required(keys, name, "keys")?, lookup.meter)? {
                made.insert(Key::new(key, lookup.meter)?, value.clone());
            }
            Ok(Value::dict(made))
        }
        _ if !args.positional.is_empty() || !args.named.is_empty() => {
            invalid(format!("{name}() takes no arguments"))
        }
        "items" => Ok(Value::view("dict_items", pairs(&entries))),
        "keys" => Ok(Value::view("dict_keys", entries.keys().map(|k| k.value().clone()).collect())),
        "values" => Ok(Value::view("dict_values", entries.values().cloned().collect())),
        _ => Ok(Value::dict(entries.clone())),
    }
}

pub fn pairs(entries: &Dict) -> Vec<Value> {
    let pair = |(key, value): (&Key, &Value)| Value::tuple(vec![key.value().clone(), value.clone()]);
    entries.iter().map(pair).collect()
}

fn change_dict(dict: &Rc<DictCell>, name: &str, args: Args, lookup: &Lookup) -> Res<Value> {
    lookup.meter.allocate(2 * size_of::<Value>())?;
    match name {
        "update" => {
            let made = dict_of(args, lookup)?;
            dict.0.borrow_mut().extend(made);
            Ok(Value::None)
        }
        "clear" => {
            let old = std::mem::take(&mut *dict.0.borrow_mut());
            super::value::drop_flat(old.into_values().collect());
            Ok(Value::None)
        }
        "popitem" => match dict.0.borrow_mut().pop() {
            Some((key, value)) => Ok(Value::tuple(vec![key.value().clone(), value])),
            None => invalid("popitem(): dictionary is empty"),
        },
        _ => {
            let [key, default] = args.bind(name, ["key", "default"])?;
            let key = Key::new(required(key, name, "key")?, lookup.meter)?;
            if name == "setdefault" {
                let default = default.unwrap_or(Value::None);
                return Ok(dict.0.borrow_mut().entry(key).or_insert(default).clone());
            }
            let found = dict.0.borrow_mut().shift_remove(&key).or(default);
            found.map_or_else(|| invalid("pop(): there is no such key"), Ok)
        }
    }
}

/// dict(mapping or pairs, **named).
pub fn dict_of(args: Args, lookup: &Lookup) -> Res<Dict> {
    let mut made = Dict::new();
    if args.positional.len() > 1 {
        return invalid("dict() takes at most one argument and names");
    }
    match args.positional.first() {
        Some(Value::Dict(dict)) | Some(Value::Namespace(dict)) => {
            super::ops::charge_items(dict.0.borrow().len(), lookup.meter)?;
            made = dict.0.borrow().clone();
        }
        Some(other) => {
            for pair in iterate(other, lookup.meter)? {
                let mut pair = iterate(&pair, lookup.meter)?;
                let (2, Some(value), Some(key)) = (pair.len(), pair.pop(), pair.pop()) else {
                    return invalid("dict() takes a mapping or pairs");
                };
                made.insert(Key::new(key, lookup.meter)?, value);
            }
        }
        None => {}
    }
    for (name, value) in args.named {
        made.insert(Key::text(&name), value);
    }
    Ok(made)
}

pub fn loop_field(state: &Rc<LoopState>, name: &str, lookup: &Lookup) -> Option<Value> {
    let items = state.items.0.borrow();
    let index = state.index0.get();
    let neighbour = |at: Option<usize>, what: &str| {
        let found = at.and_then(|at| items.get(at)).cloned();
        found.unwrap_or_else(|| missing(format!("there is no {what} item"), lookup.strict))
    };
    let number = |value: usize| Value::Int(value as i128);
    Some(match name {
        "index" => number(index + 1),
        "index0" => number(index),
        "revindex" => number(items.len() - index),
        "revindex0" => number(items.len() - index - 1),
        "first" => Value::Bool(index == 0),
        "last" => Value::Bool(index + 1 == items.len()),
        "length" => number(items.len()),
        "depth" => number(state.depth + 1),
        "depth0" => number(state.depth),
        "previtem" => neighbour(index.checked_sub(1), "previous"),
        "nextitem" => neighbour(Some(index + 1), "next"),
        "cycle" | "changed" => Value::Method(Rc::new((Value::Loop(state.clone()), name.into()))),
        _ => return None,
    })
}

fn loop_method(state: &Rc<LoopState>, name: &str, args: Args, meter: &Meter) -> Res<Value> {
    if name == "cycle" {
        if args.positional.is_empty() {
            return invalid("no items for cycling given");
        }
        return Ok(args.positional[state.index0.get() % args.positional.len()].clone());
    }
    let now = Value::tuple(args.positional);
    let changed = match &*state.changed.borrow() {
        Some(before) => !equal(before, &now, meter)?,
        None => true,
    };
    let old = state.changed.replace(Some(now));
    drop(old);
    Ok(Value::Bool(changed))
}

pub fn cycler_field(owner: &Value, name: &str) -> Res<Value> {
    match (owner, name) {
        (Value::Cycler(cycler), "current") => {
            Ok(cycler.items.0.borrow()[cycler.position.get()].clone())
        }
        _ => Ok(Value::Method(Rc::new((owner.clone(), name.into())))),
    }
}

fn cycler_method(owner: &Value, name: &str) -> Res<Value> {
    let Value::Cycler(cycler) = owner else { return Ok(Value::None) };
    let items = cycler.items.0.borrow();
    if name == "reset" {
        cycler.position.set(0);
        return Ok(Value::None);
    }
    let at = cycler.position.get();
    cycler.position.set((at + 1) % items.len());
    Ok(items[at].clone())
}
