//! What Python's str says about characters.

use std::sync::OnceLock;

use regex::Regex;

/// str.isspace, what strip() and split() take away.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Where splitlines() splits ("\r\n" counts as one).
pub fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn class(cell: &'static OnceLock<Regex>, pattern: &str) -> &'static Regex {
    cell.get_or_init(|| Regex::new(pattern).expect("a fixed pattern"))
}

fn matches(regex: &Regex, c: char) -> bool {
    regex.is_match(c.encode_utf8(&mut [0; 4]))
}

/// str.isprintable, which decides what repr escapes.
pub fn is_printable(c: char) -> bool {
    static OTHERS: OnceLock<Regex> = OnceLock::new();
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    !matches(class(&OTHERS, r"^[\p{C}\p{Z}]"), c)
}

pub fn is_letter(c: char) -> bool {
    static LETTERS: OnceLock<Regex> = OnceLock::new();
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    matches(class(&LETTERS, r"^\p{L}"), c)
}

pub fn is_decimal(c: char) -> bool {
    static DECIMALS: OnceLock<Regex> = OnceLock::new();
    if c.is_ascii() {
        return c.is_ascii_digit();
    }
    matches(class(&DECIMALS, r"^\p{Nd}"), c)
}

pub fn is_digit(c: char) -> bool {
    is_decimal(c) || matches!(c, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉' | '①'..='⑨')
}

pub fn is_alphanumeric(c: char) -> bool {
    is_letter(c) || c.is_numeric()
}

/// Letters that are a capital and a small one in one.
pub fn is_title_case(c: char) -> bool {
    let greek = matches!(c, '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}' | '\u{1fa8}'..='\u{1faf}');
    greek || matches!(c, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ' | '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}')
}

pub fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || is_title_case(c)
}

/// The first letter of a word in title case: of "ß" it is "Ss", of "ǆ" it is "ǅ".
pub fn push_title(c: char, out: &mut String) {
    let single = match c {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        '\u{1f80}'..='\u{1faf}' => char::from_u32(c as u32 | 8).unwrap_or(c),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => char::from_u32(c as u32 + 9).unwrap_or(c),
        c if is_title_case(c) || ('\u{10d0}'..='\u{10ff}').contains(&c) => c, // Georgian has no such form
        _ => {
            let mut capital = false;
            for part in c.to_uppercase() {
                if capital {
                    out.extend(part.to_lowercase());
                } else {
                    out.push(part);
                }
                capital |= is_cased(part);
            }
            return;
        }
    };
    out.push(single);
}

pub fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let mut out = String::new();
    if let Some(first) = chars.next() {
        push_title(first, &mut out);
    }
    out + &lower(chars.as_str())
}

pub fn lower(text: &str) -> String {
    text.to_lowercase()
}

/// str.title: a capital at the start of every run of cased letters.
pub fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            push_title(c, &mut out);
        }
        inside = is_cased(c);
    }
    out
}

pub fn swap_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else if c.is_lowercase() {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

/// str.casefold: small letters of capitals, so that "ß" becomes "ss". Cherokee folds to capitals.
pub fn case_fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'ı' => out.push(c),
            '\u{13a0}'..='\u{13ff}' | '\u{ab70}'..='\u{abbf}' => out.extend(c.to_uppercase()),
            _ => c.to_uppercase().for_each(|capital| out.extend(capital.to_lowercase())),
        }
    }
    out
}

/// str.istitle: capitals only at the start of runs of cased letters, small letters only inside.
pub fn is_title(text: &str) -> bool {
    let mut inside = false;
    let mut any = false;
    for c in text.chars() {
        if is_cased(c) && inside != c.is_lowercase() {
            return false;
        }
        inside = is_cased(c);
        any |= inside;
    }
    any
}

/// str.splitlines.
pub fn split_lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(at) = rest.find(is_line_break) else {
            lines.push(rest);
            break;
        };
        let first = rest[at..].chars().next().map_or(1, char::len_utf8);
        let length = if rest[at..].starts_with("\r\n") { 2 } else { first };
        lines.push(&rest[..if keep_ends { at + length } else { at }]);
        rest = &rest[at + length..];
    }
    lines
}

/// Python's repr of a float: the shortest digits, an exponent outside 1e-4 to 1e16.
pub fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{value}");
    if plain.contains('.') {
        plain
    } else {
        plain + ".0"
    }
}

/// Python's repr of a str.
pub fn string_repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c if (c as u32) < 0x100 => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if (c as u32) < 0x10000 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    out.push(quote);
    out
}

/// A slice's indices as Python resolves them: start, step, count.
pub fn slice_indices(
    length: i128,
    start: Option<i128>,
    stop: Option<i128>,
    step: i128,
) -> (i128, i128, i128) {
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let resolve = |index: Option<i128>, default: i128| match index {
        None => default,
        Some(index) if index < 0 => (index.saturating_add(length)).max(low),
        Some(index) => index.min(high),
    };
    let start = resolve(start, if step > 0 { low } else { high });
    let stop = resolve(stop, if step > 0 { high } else { low });
    let span = if step > 0 { stop - start } else { start - stop };
    let stride = step.saturating_abs();
    (start, step, if span > 0 { (span - 1) / stride + 1 } else { 0 })
}
