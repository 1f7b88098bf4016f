//! ast.literal_eval: strings, numbers, tuples, lists, dicts, sets, True, False, None.

use super::fault::{invalid, Res};
use super::lexer::{parse_int, unescape};
use super::strings::is_space;
use super::value::{Dict, Key, Value};

const MAX_NESTING: u32 = 90;

pub fn parse(text: &str) -> Res<Value> {
    let text = text.trim_start_matches([' ', '\t']);
    let mut reader = Reader { text, position: 0 };
    let value = reader.value(MAX_NESTING)?;
    // `1, 2` is a tuple without brackets.
    reader.space();
    if reader.rest().starts_with(',') {
        let items = reader.more(vec![value], "", MAX_NESTING)?;
        return Ok(Value::tuple(items));
    }
    if !reader.rest().is_empty() {
        return reader.fault("unexpected text");
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }
    fn space(&mut self) {
        self.position += self.rest().len() - self.rest().trim_start_matches(is_space).len();
    }
    fn fault<T>(&self, message: &str) -> Res<T> {
        let near: String = self.rest().chars().take(20).collect();
        invalid(format!("no Python literal: {message} at byte {} ('{near}')", self.position))
    }
    fn skip(&mut self, text: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(text);
        self.position += if found { text.len() } else { 0 };
        found
    }

    fn value(&mut self, depth: u32) -> Res<Value> {
        if depth == 0 {
            return self.fault("nested too deeply");
        }
        self.space();
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return self.fault("the text ends") };
        match first {
            '[' => {
                self.position += 1;
                Ok(Value::list(self.more(Vec::new(), "]", depth)?))
            }
            '(' => {
                self.position += 1;
                self.bracketed(depth)
            }
            '{' => {
                self.position += 1;
                self.dict_or_set(depth)
            }
            '+' | '-' | '.' | '0'..='9' => self.number(),
            _ if self.string_prefix().is_some() => self.strings(),
            _ => {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let value = match &rest[..length] {
                    "True" => Value::Bool(true),
                    "False" => Value::Bool(false),
                    "None" => Value::None,
                    _ => return self.fault("unknown word"),
                };
                self.position += length;
                Ok(value)
            }
        }
    }

    /// Items up to `close` ("" = the end); before the first one, or behind one.
    fn more(&mut self, mut items: Vec<Value>, close: &str, depth: u32) -> Res<Vec<Value>> {
        loop {
            if !items.is_empty() && !self.skip(",") {
                return if self.ends(close) { Ok(items) } else { self.fault("expected ',' or the end") };
            }
            if self.ends(close) {
                return Ok(items);
            }
            items.push(self.value(depth - 1)?);
        }
    }

    fn ends(&mut self, close: &str) -> bool {
        self.space();
        if close.is_empty() {
            return self.rest().is_empty();
        }
        self.skip(close)
    }

    fn bracketed(&mut self, depth: u32) -> Res<Value> {
        if self.skip(")") {
            return Ok(Value::tuple(Vec::new()));
        }
        let first = self.value(depth - 1)?;
        if self.skip(")") {
            return Ok(first);
        }
        Ok(Value::tuple(self.more(vec![first], ")", depth)?))
    }

    fn dict_or_set(&mut self, depth: u32) -> Res<Value> {
        let mut dict = Dict::new();
        if self.skip("}") {
            return Ok(Value::dict(dict));
        }
        let first = self.value(depth - 1)?;
        if !self.skip(":") {
            return Ok(Value::list(self.more(vec![first], "}", depth)?));
        }
        let mut key = first;
        loop {
            let value = self.value(depth - 1)?;
            dict.insert(Key::unmetered(key)?, value);
            let comma = self.skip(",");
            if self.skip("}") {
                return Ok(Value::dict(dict));
            }
            if !comma {
                return self.fault("expected ',' or '}'");
            }
            key = self.value(depth - 1)?;
            if !self.skip(":") {
                return self.fault("expected ':'");
            }
        }
    }

    fn number(&mut self) -> Res<Value> {
        let rest = self.rest();
        let unsigned = rest.trim_start_matches(['+', '-', ' ']);
        let signs = rest.len() - unsigned.len();
        let negative = rest[..signs].matches('-').count() % 2 == 1;
        let hex = unsigned.starts_with("0x") || unsigned.starts_with("0X");
        let mut length = 0;
        for (at, c) in unsigned.char_indices() {
            let exponent_sign = !hex && matches!(c, '+' | '-') && unsigned[..at].ends_with(['e', 'E']);
            if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || exponent_sign) {
                break;
            }
            length = at + c.len_utf8();
        }
        let digits = unsigned[..length].replace('_', "");
        let value = match parse_int(&digits) {
            Some(value) => Value::Int(if negative { -value } else { value }),
            None => match digits.parse::<f64>() {
                Ok(value) if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
                    Value::Float(if negative { -value } else { value })
                }
                _ => return self.fault("no number"),
            },
        };
        self.position += signs + length;
        Ok(value)
    }

    /// The length of `r`, `u`, `b` before a quote.
    fn string_prefix(&self) -> Option<usize> {
        let rest = self.rest();
        let quote = rest.find(['\'', '"'])?;
        let prefix = rest[..quote].to_ascii_lowercase();
        matches!(prefix.as_str(), "" | "r" | "u").then_some(quote)
    }

    /// Strings beside each other are one.
    fn strings(&mut self) -> Res<Value> {
        let mut text = String::new();
        while let Some(prefix) = self.string_prefix() {
            let raw = self.rest()[..prefix].eq_ignore_ascii_case("r");
            self.position += prefix;
            text.push_str(&self.string(raw)?);
            self.space();
        }
        Ok(Value::text(text))
    }

    fn string(&mut self, raw: bool) -> Res<String> {
        let rest = self.rest();
        let one = &rest[..1];
        let triple = one.repeat(3);
        let quote = if rest.starts_with(&triple) { triple.as_str() } else { one };
        let inside = &rest[quote.len()..];
        let mut escaped = false;
        for (at, c) in inside.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if inside[at..].starts_with(quote) {
                let text = &inside[..at];
                let unescaped = if raw { Ok(text.to_string()) } else { unescape(text) };
                let text = unescaped.or_else(|message| self.fault(&message))?;
                self.position += at + 2 * quote.len();
                return Ok(text);
            } else if c == '\n' && quote.len() == 1 {
                break;
            }
        }
        self.fault("a string is not closed")
    }
}
