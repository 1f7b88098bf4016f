//! From template source to tokens, by the rules of Jinja2's lexer: whitespace control, trim_blocks,
//! lstrip_blocks, comments, raw blocks, braces inside a tag.

use super::fault::{Fault, Res};
use super::strings::is_space;

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Data(String),
    BlockBegin,
    BlockEnd,
    VariableBegin,
    VariableEnd,
    Name(String),
    Str(String),
    Int(i128),
    Float(f64),
    Operator(&'static str),
    End,
}

pub struct Settings {
    pub trim_blocks: bool, // and lstrip_blocks: the dialects set both or neither
    pub keep_trailing_newline: bool,
}

const OPERATORS: [&str; 26] = [
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",", ";",
];

pub fn tokenize(source: &str, settings: &Settings) -> Res<Vec<(Token, u32)>> {
    let mut source = source.replace("\r\n", "\n").replace('\r', "\n");
    if !settings.keep_trailing_newline && source.ends_with('\n') {
        source.pop();
    }
    let mut lexer = Lexer {
        source: &source,
        position: 0,
        line: 1,
        counted: 0,
        trim: settings.trim_blocks,
        after_newline: true,
        tokens: Vec::new(),
    };
    while lexer.position < source.len() {
        lexer.data()?;
    }
    let line = lexer.line_here();
    lexer.tokens.push((Token::End, line));
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    source: &'a str,
    position: usize,
    line: u32,
    counted: usize, // up to where `line` counts
    trim: bool,
    after_newline: bool, // the last tag took a newline with it, or there was none yet
    tokens: Vec<(Token, u32)>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.position..]
    }

    fn line_here(&mut self) -> u32 {
        let newlines = self.source[self.counted..self.position].matches('\n').count();
        self.line += newlines as u32;
        self.counted = self.position;
        self.line
    }

    fn push(&mut self, token: Token) {
        let line = self.line_here();
        self.tokens.push((token, line));
    }

    fn fault<T>(&mut self, message: impl Into<String>) -> Res<T> {
        Err(Fault::at(self.line_here(), message))
    }

    /// Text up to the next tag, and the tag.
    fn data(&mut self) -> Res<()> {
        let rest = self.rest();
        let begin = rest.char_indices().find(|(at, c)| {
            *c == '{' && matches!(rest.as_bytes().get(at + 1), Some(b'%' | b'{' | b'#'))
        });
        let Some((begin, _)) = begin else {
            self.push(Token::Data(rest.to_string()));
            self.position = self.source.len();
            return Ok(());
        };
        let kind = rest.as_bytes()[begin + 1];
        let sign = rest[begin + 2..].chars().next().filter(|c| matches!(c, '-' | '+'));
        self.text(&rest[..begin], sign, kind != b'{');
        self.position += begin + 2 + sign.map_or(0, |_| 1);
        if kind == b'#' {
            return self.comment();
        }
        if kind == b'%' {
            if let Some(length) = raw_tag(self.rest(), "raw", false) {
                self.position += length;
                return self.raw();
            }
            self.push(Token::BlockBegin);
            self.tag("%}", Token::BlockEnd, self.trim)
        } else {
            self.push(Token::VariableBegin);
            self.tag("}}", Token::VariableEnd, false)
        }
    }

    fn text(&mut self, text: &str, sign: Option<char>, block: bool) {
        let mut text = text;
        if sign == Some('-') {
            text = text.trim_end_matches(is_space);
        } else if sign.is_none() && self.trim && block {
            let line_start = text.rfind('\n').map_or(0, |at| at + 1);
            let blank = text[line_start..].chars().all(is_space);
            if (line_start > 0 || self.after_newline) && blank {
                text = &text[..line_start];
            }
        }
        if !text.is_empty() {
            self.push(Token::Data(text.to_string()));
        }
    }

    /// Behind the end of a tag: the whitespace that it takes with it.
    fn finish(&mut self, length: usize, strip: bool, trim: bool) {
        self.position += length;
        if strip {
            let rest = self.rest();
            self.position += rest.len() - rest.trim_start_matches(is_space).len();
        } else if trim && self.rest().starts_with('\n') {
            self.position += 1;
        }
        self.after_newline = self.source[..self.position].ends_with('\n');
    }

    fn comment(&mut self) -> Res<()> {
        let Some(end) = self.rest().find("#}") else {
            return self.fault("missing end of comment, #}");
        };
        let sign = self.rest()[..end].chars().next_back();
        let trim = self.trim && sign != Some('+');
        self.finish(end + 2, sign == Some('-'), trim);
        Ok(())
    }

    fn raw(&mut self) -> Res<()> {
        let mut searched = 0;
        while let Some(found) = self.rest()[searched..].find("{%") {
            let begin = searched + found;
            let behind = &self.rest()[begin + 2..];
            let sign = behind.chars().next().filter(|c| matches!(c, '-' | '+'));
            let tag = begin + 2 + sign.map_or(0, |_| 1);
            if let Some(length) = raw_tag(&self.rest()[tag..], "endraw", true) {
                self.after_newline = self.source[..self.position].ends_with('\n');
                let text = &self.rest()[..begin];
                self.text(text, sign, true);
                let close = self.rest()[..tag + length].trim_end_matches(is_space);
                let (strip, keep) = (close.ends_with("-%}"), close.ends_with("+%}"));
                self.finish(tag + length, strip, self.trim && !keep);
                return Ok(());
            }
            searched = begin + 2;
        }
        self.fault("missing {% endraw %}")
    }

    /// The tokens of a tag up to `close`.
    fn tag(&mut self, close: &str, end: Token, trim: bool) -> Res<()> {
        let mut open: Vec<&str> = Vec::new();
        loop {
            let rest = self.rest();
            let Some(first) = rest.chars().next() else {
                return self.fault(format!("unexpected end of template, expected {close}"));
            };
            if open.is_empty() {
                let sign = matches!(first, '-' | '+') && rest[1..].starts_with(close);
                let sign = sign && (first == '-' || close == "%}");
                if sign || rest.starts_with(close) {
                    self.push(end);
                    self.finish(sign as usize + 2, sign && first == '-', trim && !sign);
                    return Ok(());
                }
            }
            if is_space(first) {
                self.position += first.len_utf8();
            } else if first.is_ascii_digit() {
                self.number()?;
            } else if first == '_' || first.is_alphabetic() {
                let name = |c: char| c == '_' || c.is_alphanumeric();
                let length = rest.find(|c| !name(c)).unwrap_or(rest.len());
                self.push(Token::Name(rest[..length].to_string()));
                self.position += length;
            } else if matches!(first, '\'' | '"') {
                self.string(first)?;
            } else {
                self.operator(&mut open)?;
            }
        }
    }

    fn operator(&mut self, open: &mut Vec<&'static str>) -> Res<()> {
        let rest = self.rest();
        let Some(operator) = OPERATORS.iter().find(|o| rest.starts_with(**o)) else {
            let found = rest.chars().next().unwrap_or(' ');
            return self.fault(format!("unexpected character '{found}'"));
        };
        match *operator {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            ")" | "]" | "}" if open.pop() != Some(*operator) => {
                return self.fault(format!("unexpected '{operator}'"));
            }
            _ => {}
        }
        self.push(Token::Operator(operator));
        self.position += operator.len();
        Ok(())
    }

    fn string(&mut self, quote: char) -> Res<()> {
        let rest = self.rest();
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                let text = unescape(&rest[1..at]);
                let text = text.or_else(|message| self.fault(message))?;
                self.push(Token::Str(text));
                self.position += at + 1;
                return Ok(());
            }
        }
        self.fault("a string is not closed")
    }

    fn number(&mut self) -> Res<()> {
        let rest = self.rest();
        let after_dot = self.source[..self.position].ends_with('.');
        let (length, is_float) = number_length(rest, after_dot);
        let digits = rest[..length].replace('_', "");
        let parsed = if is_float {
            digits.parse().ok().map(Token::Float)
        } else {
            parse_int(&digits).map(Token::Int)
        };
        let Some(token) = parsed else {
            return self.fault(format!("the number {} is too large", &rest[..length]));
        };
        self.push(token);
        self.position += length;
        Ok(())
    }
}

/// `raw %}` behind `{%`: the length up to and with `%}` and, behind a minus, whitespace.
fn raw_tag(rest: &str, name: &str, end: bool) -> Option<usize> {
    let inner = rest.trim_start_matches(is_space).strip_prefix(name)?;
    let inner = inner.trim_start_matches(is_space);
    if let Some(behind) = inner.strip_prefix("-%}") {
        return Some(rest.len() - behind.trim_start_matches(is_space).len());
    }
    let plus = if end { inner.strip_prefix("+%}") } else { None };
    plus.or_else(|| inner.strip_prefix("%}")).map(|behind| rest.len() - behind.len())
}

fn digits_length(text: &str) -> usize {
    let length = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    text[..length].trim_end_matches('_').len()
}

fn number_length(text: &str, after_dot: bool) -> (usize, bool) {
    let bytes = text.as_bytes();
    if bytes[0] == b'0' && matches!(bytes.get(1), Some(b'x' | b'X' | b'o' | b'O' | b'b' | b'B')) {
        let digit = |c: char| c.is_ascii_hexdigit() || c == '_';
        let length = text[2..].find(|c| !digit(c)).unwrap_or(text.len() - 2);
        return (2 + length, false);
    }
    let whole = digits_length(text);
    if after_dot {
        return (whole, false);
    }
    let mut length = whole;
    let mut is_float = false;
    if bytes.get(length) == Some(&b'.') && bytes.get(length + 1).is_some_and(u8::is_ascii_digit) {
        length += 1 + digits_length(&text[length + 1..]);
        is_float = true;
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = matches!(bytes.get(length + 1), Some(b'+' | b'-')) as usize;
        let digits = bytes.get(length + 1 + sign).filter(|b| b.is_ascii_digit());
        if digits.is_some() {
            length += 1 + sign + digits_length(&text[length + 1 + sign..]);
            is_float = true;
        }
    }
    (length, is_float)
}

pub fn parse_int(digits: &str) -> Option<i128> {
    let radix = match digits.get(..2) {
        Some("0x" | "0X") => 16,
        Some("0o" | "0O") => 8,
        Some("0b" | "0B") => 2,
        _ => return digits.parse().ok(),
    };
    i128::from_str_radix(&digits[2..], radix).ok()
}

/// Python's escapes in a string literal; an unknown one stands for itself.
pub fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(escape) = rest.next() else { return Err("a string ends in a backslash".into()) };
        let length = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        if length > 0 {
            out.push(hex_escape(&mut rest, length)?);
        } else if escape.is_digit(8) {
            let more = rest.as_str().chars().take(2).take_while(|c| c.is_digit(8));
            let digits: String = std::iter::once(escape).chain(more).collect();
            rest.by_ref().take(digits.len() - 1).for_each(drop);
            out.push(char::from_u32(u32::from_str_radix(&digits, 8).unwrap_or(0)).unwrap_or('\u{fffd}'));
        } else {
            simple_escape(escape, &mut out);
        }
    }
    Ok(out)
}

fn simple_escape(escape: char, out: &mut String) {
    match escape {
        '\n' => {}
        '\\' | '\'' | '"' => out.push(escape),
        'a' => out.push('\x07'),
        'b' => out.push('\x08'),
        'f' => out.push('\x0c'),
        'n' => out.push('\n'),
        'r' => out.push('\r'),
        't' => out.push('\t'),
        'v' => out.push('\x0b'),
        other => {
            out.push('\\');
            out.push(other);
        }
    }
}

fn hex_escape(rest: &mut std::str::Chars, length: usize) -> Result<char, String> {
    let digits: String = rest.as_str().chars().take(length).collect();
    rest.by_ref().take(length).for_each(drop);
    let all_hex = digits.len() == length && digits.chars().all(|c| c.is_ascii_hexdigit());
    let code = u32::from_str_radix(&digits, 16).ok().filter(|_| all_hex);
    code.and_then(char::from_u32).ok_or_else(|| format!("'\\{digits}' is no character"))
}
