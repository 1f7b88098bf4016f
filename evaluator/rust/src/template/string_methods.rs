//! Methods of Python's str. Indices count characters.

use super::args::{optional_bool, optional_int, optional_text, required, required_text, Args};
use super::fault::{invalid, Res};
use super::format;
use super::lookup::Lookup;
use super::meter::Meter;
use super::ops::{charge_items, iterate};
use super::strings::*;
use super::value::{Text, Value};

pub const NAMES: [&str; 44] = [
    "capitalize", "casefold", "center", "count", "endswith", "expandtabs", "find", "format", "index",
    "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric",
    "isprintable", "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip", "partition",
    "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit",
    "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper", "zfill",
    "encode",
];

pub fn call(text: &Text, name: &str, args: Args, lookup: &Lookup) -> Res<Value> {
    let meter = lookup.meter;
    meter.step(1 + text.len() / 64)?;
    meter.allocate(3 * text.len())?;
    match name {
        "split" | "rsplit" => split(text, name, args, meter),
        "strip" | "lstrip" | "rstrip" => {
            let [characters] = args.bind(name, ["chars"])?;
            let characters = optional_text(characters, name, "chars")?;
            Ok(Value::text(strip(text, name, characters.as_deref())))
        }
        "startswith" | "endswith" => starts_or_ends(text, name, args, meter),
        "find" | "rfind" | "index" | "rindex" | "count" => search(text, name, args),
        "replace" => {
            let [old, new, count] = args.bind(name, ["old", "new", "count"])?;
            let (old, new) = (required_text(old, name, "old")?, required_text(new, name, "new")?);
            let count = optional_int(count, name, "count")?.unwrap_or(-1);
            Ok(Value::text(replace(text, &old, &new, count, meter)?))
        }
        "join" => {
            let [items] = args.bind(name, ["iterable"])?;
            join(text, &required(items, name, "iterable")?, meter)
        }
        "format" => Ok(Value::text(format::format(text, &args.positional, &args.named, lookup)?)),
        "center" | "ljust" | "rjust" | "zfill" => justify(text, name, args, meter),
        "partition" | "rpartition" => partition(text, name, args),
        "removeprefix" | "removesuffix" => {
            let [affix] = args.bind(name, ["affix"])?;
            let affix = required_text(affix, name, "affix")?;
            let cut = if name == "removeprefix" { text.strip_prefix(&*affix) } else { text.strip_suffix(&*affix) };
            Ok(Value::text(cut.unwrap_or(text)))
        }
        "splitlines" => {
            let [keep] = args.bind(name, ["keepends"])?;
            let lines = split_lines(text, optional_bool(keep, false)?);
            charge_items(lines.len(), meter)?;
            Ok(Value::list(lines.into_iter().map(Value::text).collect()))
        }
        "expandtabs" => {
            let [size] = args.bind(name, ["tabsize"])?;
            expand_tabs(text, optional_int(size, name, "tabsize")?.unwrap_or(8), meter)
        }
        "encode" => invalid("encode() is not supported: templates have no bytes"),
        _ if !args.positional.is_empty() || !args.named.is_empty() => {
            invalid(format!("{name}() takes no arguments"))
        }
        _ => Ok(plain(text, name)),
    }
}

/// Methods without arguments.
fn plain(text: &str, name: &str) -> Value {
    let all = |test: fn(char) -> bool| Value::Bool(!text.is_empty() && text.chars().all(test));
    match name {
        "upper" => Value::text(text.to_uppercase()),
        "casefold" => Value::text(case_fold(text)),
        "lower" => Value::text(lower(text)),
        "capitalize" => Value::text(capitalize(text)),
        "title" => Value::text(title(text)),
        "swapcase" => Value::text(swap_case(text)),
        "isalnum" => all(is_alphanumeric),
        "isalpha" => all(is_letter),
        "isdecimal" => all(is_decimal),
        "isdigit" => all(is_digit),
        "isnumeric" => all(char::is_numeric),
        "isspace" => all(is_space),
        "isascii" => Value::Bool(text.is_ascii()),
        "isprintable" => Value::Bool(text.chars().all(is_printable)),
        "isidentifier" => Value::Bool(
            text.chars().next().is_some_and(|c| c == '_' || is_letter(c))
                && text.chars().all(|c| c == '_' || is_alphanumeric(c)),
        ),
        "islower" => Value::Bool(is_lower(text)),
        "isupper" => Value::Bool(is_upper(text)),
        _ => Value::Bool(is_title(text)),
    }
}

pub fn is_lower(text: &str) -> bool {
    text.chars().any(char::is_lowercase) && !text.chars().any(|c| c.is_uppercase() || is_title_case(c))
}

pub fn is_upper(text: &str) -> bool {
    text.chars().any(char::is_uppercase) && !text.chars().any(|c| c.is_lowercase() || is_title_case(c))
}

pub fn strip<'a>(text: &'a str, method: &str, characters: Option<&str>) -> &'a str {
    let stripped = |c: char| characters.map_or_else(|| is_space(c), |set| set.contains(c));
    let text = if method == "rstrip" { text } else { text.trim_start_matches(stripped) };
    if method == "lstrip" { text } else { text.trim_end_matches(stripped) }
}

fn split(text: &str, name: &str, args: Args, meter: &Meter) -> Res<Value> {
    let [separator, limit] = args.bind(name, ["sep", "maxsplit"])?;
    let separator = optional_text(separator, name, "sep")?;
    let limit = optional_int(limit, name, "maxsplit")?.unwrap_or(-1);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX - 1);
    let parts: Vec<&str> = match &separator {
        Some(separator) if separator.is_empty() => return invalid("empty separator"),
        Some(separator) if name == "split" => text.splitn(limit + 1, &**separator).collect(),
        Some(separator) => {
            let mut parts: Vec<&str> = text.rsplitn(limit + 1, &**separator).collect();
            parts.reverse();
            parts
        }
        None => split_words(text, limit, name == "rsplit"),
    };
    charge_items(parts.len(), meter)?;
    meter.allocate(16 * parts.len())?;
    Ok(Value::list(parts.into_iter().map(Value::text).collect()))
}

fn split_words(text: &str, limit: usize, from_right: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = if from_right { text.trim_end_matches(is_space) } else { text.trim_start_matches(is_space) };
    while !rest.is_empty() {
        let border = if from_right { rest.rfind(is_space) } else { rest.find(is_space) };
        let Some(at) = border.filter(|_| parts.len() < limit) else {
            parts.push(rest);
            break;
        };
        let behind = at + rest[at..].chars().next().map_or(1, char::len_utf8);
        if from_right {
            parts.push(&rest[behind..]);
            rest = rest[..at].trim_end_matches(is_space);
        } else {
            parts.push(&rest[..at]);
            rest = rest[behind..].trim_start_matches(is_space);
        }
    }
    if from_right {
        parts.reverse();
    }
    parts
}

/// The part of `text` from character `start` to `stop`, and the character it begins at; None when
/// `start` is beyond the end.
fn window(text: &str, start: Option<i128>, stop: Option<i128>) -> Option<(&str, usize)> {
    if start.is_none() && stop.is_none() {
        return Some((text, 0));
    }
    let length = text.chars().count() as i128;
    if start.is_some_and(|start| start > length) {
        return None;
    }
    let (from, _, count) = slice_indices(length, start, stop, 1);
    let byte = |index: usize| text.char_indices().nth(index).map_or(text.len(), |(at, _)| at);
    Some((&text[byte(from as usize)..byte((from + count) as usize)], from as usize))
}

fn starts_or_ends(text: &str, name: &str, args: Args, meter: &Meter) -> Res<Value> {
    let [affix, start, stop] = args.bind(name, ["affix", "start", "end"])?;
    let (start, stop) = (optional_int(start, name, "start")?, optional_int(stop, name, "end")?);
    let affixes = match required(affix, name, "affix")? {
        Value::Tuple(cells) => iterate(&Value::Tuple(cells), meter)?,
        other => vec![other],
    };
    let Some((part, _)) = window(text, start, stop) else { return Ok(Value::Bool(false)) };
    for affix in affixes {
        let affix = required_text(Some(affix), name, "affix")?;
        if if name == "startswith" { part.starts_with(&*affix) } else { part.ends_with(&*affix) } {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn search(text: &str, name: &str, args: Args) -> Res<Value> {
    let [part, start, stop] = args.bind(name, ["sub", "start", "end"])?;
    let part = required_text(part, name, "sub")?;
    let (start, stop) = (optional_int(start, name, "start")?, optional_int(stop, name, "end")?);
    let found = window(text, start, stop).and_then(|(inside, offset)| {
        if name == "count" {
            return Some(if part.is_empty() { inside.chars().count() + 1 } else { inside.matches(&*part).count() });
        }
        let at = if name.starts_with('r') { inside.rfind(&*part) } else { inside.find(&*part) };
        at.map(|at| offset + inside[..at].chars().count())
    });
    match (found, name) {
        (Some(value), _) => Ok(Value::Int(value as i128)),
        (None, "count") => Ok(Value::Int(0)),
        (None, "find" | "rfind") => Ok(Value::Int(-1)),
        _ => invalid("substring not found"),
    }
}

pub fn replace(text: &str, old: &str, new: &str, count: i128, meter: &Meter) -> Res<String> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    meter.allocate(text.len() + found.min(count).saturating_mul(new.len()))?;
    Ok(text.replacen(old, new, count))
}

fn join(separator: &str, items: &Value, meter: &Meter) -> Res<Value> {
    let mut out = String::new();
    for (index, item) in iterate(items, meter)?.iter().enumerate() {
        item.need_defined()?;
        let Some(text) = item.as_str() else {
            let kind = item.type_name();
            return invalid(format!("sequence item {index}: expected str instance, {kind} found"));
        };
        meter.allocate(text.len() + separator.len())?;
        if index > 0 {
            out.push_str(separator);
        }
        out.push_str(text);
    }
    Ok(Value::text(out))
}

fn justify(text: &str, name: &str, args: Args, meter: &Meter) -> Res<Value> {
    let [width, fill] = args.bind(name, ["width", "fillchar"])?;
    let width = optional_int(width, name, "width")?.unwrap_or(0);
    let fill = optional_text(fill, name, "fillchar")?.unwrap_or_else(|| " ".into());
    let length = text.chars().count();
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(length);
    meter.allocate(missing.saturating_mul(fill.len()))?;
    let filled = |count: usize| fill.repeat(count);
    Ok(Value::text(match name {
        "ljust" => format!("{text}{}", filled(missing)),
        "rjust" => format!("{}{text}", filled(missing)),
        "zfill" => {
            let sign = if text.starts_with(['+', '-']) { &text[..1] } else { "" };
            format!("{sign}{}{}", "0".repeat(missing), &text[sign.len()..])
        }
        _ => {
            // Python puts the odd one left when the width is odd.
            let left = missing / 2 + (missing & usize::try_from(width).unwrap_or(0) & 1);
            format!("{}{text}{}", filled(left), filled(missing - left))
        }
    }))
}

fn partition(text: &str, name: &str, args: Args) -> Res<Value> {
    let [separator] = args.bind(name, ["sep"])?;
    let separator = required_text(separator, name, "sep")?;
    if separator.is_empty() {
        return invalid("empty separator");
    }
    let found = if name == "partition" { text.find(&*separator) } else { text.rfind(&*separator) };
    let parts = match found {
        Some(at) => [&text[..at], &separator, &text[at + separator.len()..]],
        None if name == "partition" => [text, "", ""],
        None => ["", "", text],
    };
    Ok(Value::tuple(parts.into_iter().map(Value::text).collect()))
}

fn expand_tabs(text: &str, size: i128, meter: &Meter) -> Res<Value> {
    let size = usize::try_from(size).unwrap_or(0);
    meter.allocate(text.matches('\t').count().saturating_mul(size))?;
    let mut out = String::new();
    let mut column = 0;
    for c in text.chars() {
        if c == '\t' {
            let spaces = if size > 0 { size - column % size } else { 0 };
            out.extend(std::iter::repeat_n(' ', spaces));
            column += spaces;
        } else {
            column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
            out.push(c);
        }
    }
    Ok(Value::text(out))
}
