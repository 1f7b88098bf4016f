//! str(), repr() and json.dumps() of values.

use std::fmt::Write;

use super::fault::{invalid, over_budget, Res};
use super::meter::Meter;
use super::strings::{float_repr, string_repr};
use super::value::{Key, Value};

const MAX_DEPTH: u32 = 100;

/// str(value), as `{{ value }}` prints it.
pub fn text_of(value: &Value, meter: &Meter) -> Res<String> {
    value.use_value()?;
    match value {
        Value::Str(text) => {
            meter.allocate(text.len())?;
            Ok(text.to_string())
        }
        Value::Undefined(_) => Ok(String::new()),
        _ => repr_of(value, meter),
    }
}

pub fn repr_of(value: &Value, meter: &Meter) -> Res<String> {
    let mut out = String::new();
    repr(value, &mut out, meter, MAX_DEPTH)?;
    Ok(out)
}

fn repr(value: &Value, out: &mut String, meter: &Meter, depth: u32) -> Res<()> {
    if depth == 0 {
        return over_budget("a value is nested too deeply to be printed");
    }
    let before = out.len();
    match value {
        Value::Undefined(_) => out.push_str("Undefined"),
        Value::None => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&float_repr(*value)),
        Value::Str(text) => {
            meter.allocate(text.len())?;
            out.push_str(&string_repr(text));
        }
        Value::List(cells) => return repr_items("[", &cells.0.borrow(), "]", out, meter, depth),
        Value::Tuple(cells) => {
            let cells = cells.0.borrow();
            let close = if cells.len() == 1 { ",)" } else { ")" };
            return repr_items("(", &cells, close, out, meter, depth);
        }
        Value::Dict(dict) => {
            out.push('{');
            for (index, (key, value)) in dict.0.borrow().iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                repr(key.value(), out, meter, depth - 1)?;
                out.push_str(": ");
                repr(value, out, meter, depth - 1)?;
            }
            out.push('}');
        }
        Value::Range(range) => {
            let end = range.start.saturating_add(range.step.saturating_mul(range.length));
            let _ = match range.step {
                1 => write!(out, "range({}, {end})", range.start),
                step => write!(out, "range({}, {end}, {step})", range.start),
            };
        }
        Value::View(view) => {
            out.push_str(view.kind);
            return repr_items("([", &view.items.0.borrow(), "])", out, meter, depth);
        }
        Value::Namespace(dict) => {
            out.push_str("<Namespace ");
            repr(&Value::Dict(dict.clone()), out, meter, depth - 1)?;
            out.push('>');
        }
        Value::Loop(state) => {
            let length = state.items.0.borrow().len();
            let _ = write!(out, "<LoopContext {}/{length}>", state.index0.get() + 1);
        }
        Value::Macro(definition) => {
            let _ = write!(out, "<Macro {}>", string_repr(&definition.node.name));
        }
        other => {
            let _ = write!(out, "<{}>", other.type_name());
        }
    }
    meter.step(1)?;
    meter.allocate(out.len() - before)
}

fn repr_items(
    open: &str,
    items: &[Value],
    close: &str,
    out: &mut String,
    meter: &Meter,
    depth: u32,
) -> Res<()> {
    meter.step(1)?;
    meter.allocate(open.len() + close.len() + 2 * items.len())?;
    out.push_str(open);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        repr(item, out, meter, depth - 1)?;
    }
    out.push_str(close);
    Ok(())
}

/// json.dumps with its arguments.
pub struct JsonStyle {
    pub ensure_ascii: bool,
    pub indent: Option<String>,
    pub item_separator: String,
    pub key_separator: String,
    pub sort_keys: bool,
}

impl JsonStyle {
    pub fn new(indent: Option<String>) -> JsonStyle {
        let item_separator = if indent.is_some() { "," } else { ", " }.to_string();
        let key_separator = ": ".to_string();
        JsonStyle { ensure_ascii: false, indent, item_separator, key_separator, sort_keys: false }
    }
}

pub fn json_of(value: &Value, style: &JsonStyle, meter: &Meter) -> Res<String> {
    let mut writer = JsonWriter { style, meter, out: String::new() };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct JsonWriter<'a> {
    style: &'a JsonStyle,
    meter: &'a Meter,
    out: String,
}

impl JsonWriter<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Res<()> {
        value.need_defined()?;
        if depth as u32 >= MAX_DEPTH {
            return over_budget("a value is nested too deeply for JSON");
        }
        self.meter.step(1)?;
        let before = self.out.len();
        match value {
            Value::None => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) => self.out.push_str(&value.to_string()),
            Value::Float(value) => self.out.push_str(&json_float(*value)),
            Value::Str(text) => {
                self.meter.allocate(text.len())?;
                self.string(text);
            }
            Value::List(cells) | Value::Tuple(cells) => {
                let items = cells.0.borrow();
                return self.items('[', items.len(), ']', depth, |writer, index| {
                    writer.value(&items[index], depth + 1)
                });
            }
            Value::Dict(dict) => {
                let dict = dict.0.borrow();
                let entries = self.entries(&dict)?;
                return self.items('{', entries.len(), '}', depth, |writer, index| {
                    writer.string(&entries[index].0);
                    writer.out.push_str(&writer.style.key_separator);
                    writer.value(entries[index].1, depth + 1)
                });
            }
            other => {
                return invalid(format!("Object of type {} is not JSON serializable", other.type_name()))
            }
        }
        self.meter.allocate(self.out.len() - before)
    }

    fn entries<'v>(&self, dict: &'v super::value::Dict) -> Res<Vec<(String, &'v Value)>> {
        let mut entries = Vec::with_capacity(dict.len());
        for (key, value) in dict {
            entries.push((json_key(key)?, value));
        }
        if self.style.sort_keys {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
        }
        self.meter.allocate(entries.iter().map(|(key, _)| key.len()).sum())?;
        Ok(entries)
    }

    fn items(
        &mut self,
        open: char,
        count: usize,
        close: char,
        depth: usize,
        mut item: impl FnMut(&mut Self, usize) -> Res<()>,
    ) -> Res<()> {
        self.out.push(open);
        for index in 0..count {
            if index > 0 {
                self.out.push_str(&self.style.item_separator);
            }
            self.new_line(depth + 1)?;
            item(self, index)?;
        }
        if count > 0 {
            self.new_line(depth)?;
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) -> Res<()> {
        if let Some(indent) = &self.style.indent {
            self.meter.allocate(1 + indent.len() * depth)?;
            self.out.push('\n');
            (0..depth).for_each(|_| self.out.push_str(indent));
        }
        Ok(())
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\x08' => self.out.push_str("\\b"),
                '\x0c' => self.out.push_str("\\f"),
                c if (c as u32) < 0x20 || (self.style.ensure_ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

fn json_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    float_repr(value)
}

fn json_key(key: &Key) -> Res<String> {
    Ok(match key.value() {
        Value::Str(text) => text.to_string(),
        Value::None => "null".into(),
        Value::Bool(value) => if *value { "true" } else { "false" }.into(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => json_float(*value),
        other => return invalid(format!("keys must be str, int, float, bool or None, not {}", other.type_name())),
    })
}
