//! Jinja2's filters on text, and lm-evaluation-harness's regex_replace.

use std::ffi::{c_int, c_ulong, c_void};

use onig::{Regex, RegexOptions, Syntax};

use super::args::{optional_bool, optional_int, optional_text, required_text, Args};
use super::fault::{invalid, over_budget, Res};
use super::format::percent;
use super::meter::Meter;
use super::print::text_of;
use super::render::Renderer;
use super::string_methods::{replace, strip};
use super::strings::{capitalize, lower, split_lines};
use super::value::{Dict, Key, Value};

const MAX_PATTERN_BYTES: usize = 10_000;
const MAX_SEARCHED_BYTES: usize = 1 << 20;

type Function = fn(&Renderer, &str, Value, Args) -> Res<Value>;

pub fn find(name: &str) -> Option<Function> {
    Some(match name {
        "capitalize" | "lower" | "string" | "title" | "upper" | "e" | "escape" | "forceescape"
        | "urlencode" | "wordcount" => plain,
        "center" => center,
        "format" => format_filter,
        "indent" => indent,
        "regex_replace" => regex_replace,
        "replace" => replace_filter,
        "trim" => trim,
        "truncate" => truncate,
        _ => return None,
    })
}

/// Filters without arguments, on str(value).
fn plain(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [] = args.bind(name, [])?;
    if name == "urlencode" && matches!(value, Value::Dict(_) | Value::List(_) | Value::Tuple(_)) {
        return invalid("urlencode takes a text here");
    }
    let text = text_of(&value, renderer.lookup.meter)?;
    renderer.lookup.meter.step(1 + text.len() / 64)?;
    renderer.lookup.meter.allocate(5 * text.len())?;
    Ok(match name {
        "capitalize" => Value::text(capitalize(&text)),
        "lower" => Value::text(lower(&text)),
        "upper" => Value::text(text.to_uppercase()),
        "title" => Value::text(title(&text)),
        "string" => Value::text(text),
        "urlencode" => Value::text(url_encoded(&text)),
        "wordcount" => Value::Int(word_count(&text)),
        _ => Value::text(escaped(&text)),
    })
}

/// Words begin behind whitespace, hyphens and opening brackets.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = super::strings::is_space(c) || "-({[<".contains(c);
    }
    out
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('\'', "&#39;").replace('"', "&#34;")
}

fn url_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~/".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn word_count(text: &str) -> i128 {
    let is_word = |c: char| c == '_' || c.is_alphanumeric();
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).count() as i128
}

fn center(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [width] = args.bind(name, ["width"])?;
    let width = Value::Int(optional_int(width, name, "width")?.unwrap_or(80));
    let text = text_of(&value, renderer.lookup.meter)?;
    super::string_methods::call(&text.into(), name, Args::of(vec![width]), &renderer.lookup)
}

fn format_filter(renderer: &Renderer, _: &str, value: Value, args: Args) -> Res<Value> {
    let pattern = text_of(&value, renderer.lookup.meter)?;
    let arguments = if args.named.is_empty() {
        Value::tuple(args.positional)
    } else if args.positional.is_empty() {
        let entries = args.named.into_iter().map(|(name, value)| (Key::text(&name), value));
        Value::dict(entries.collect::<Dict>())
    } else {
        return invalid("format: positional and named arguments cannot be mixed");
    };
    Ok(Value::text(percent(&pattern, &arguments, renderer.lookup.meter)?))
}

fn indent(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [width, first, blank] = args.bind(name, ["width", "first", "blank"])?;
    let (first, blank) = (optional_bool(first, false)?, optional_bool(blank, false)?);
    let indention = match width {
        Some(Value::Str(text)) => text.to_string(),
        other => {
            let width = optional_int(other, name, "width")?.unwrap_or(4);
            " ".repeat(usize::try_from(width).unwrap_or(0).min(1 << 16))
        }
    };
    value.need_defined()?;
    let Value::Str(text) = &value else {
        return invalid(format!("indent: the value must be str, not {}", value.type_name()));
    };
    let text = format!("{text}\n");
    let lines = split_lines(&text, false);
    renderer.lookup.meter.allocate(text.len() + lines.len() * (indention.len() + 1))?;
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if if index == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(&indention);
        }
        out.push_str(line);
    }
    Ok(Value::text(out))
}

fn replace_filter(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [old, new, count] = args.bind(name, ["old", "new", "count"])?;
    let meter = renderer.lookup.meter;
    let given = |value: Option<Value>| value.map_or_else(|| invalid("replace: an argument is missing"), Ok);
    let (old, new) = (text_of(&given(old)?, meter)?, text_of(&given(new)?, meter)?);
    let count = optional_int(count, name, "count")?.unwrap_or(-1);
    let text = text_of(&value, meter)?;
    meter.step(1 + text.len() / 64)?;
    Ok(Value::text(replace(&text, &old, &new, count, meter)?))
}

fn trim(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [characters] = args.bind(name, ["chars"])?;
    let characters = optional_text(characters, name, "chars")?;
    let text = text_of(&value, renderer.lookup.meter)?;
    Ok(Value::text(strip(&text, "strip", characters.as_deref())))
}

fn truncate(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [length, kill, end, leeway] = args.bind(name, ["length", "killwords", "end", "leeway"])?;
    let length = optional_int(length, name, "length")?.unwrap_or(255);
    let kill = optional_bool(kill, false)?;
    let end = optional_text(end, name, "end")?.unwrap_or_else(|| "...".into());
    let leeway = optional_int(leeway, name, "leeway")?.unwrap_or(5);
    let end_length = end.chars().count() as i128;
    if length < end_length || leeway < 0 {
        return invalid("truncate: the length is shorter than the end");
    }
    if super::ops::length(&value)? as i128 <= length.saturating_add(leeway) {
        return Ok(value);
    }
    let text = required_text(Some(value), name, "s")?;
    renderer.lookup.meter.allocate(text.len())?;
    let cut: String = text.chars().take((length - end_length) as usize).collect();
    let kept = if kill { &cut } else { cut.rsplit_once(' ').map_or(cut.as_str(), |(kept, _)| kept) };
    Ok(Value::text(format!("{kept}{end}")))
}

/// re.sub(pattern, repl, string, count) with \1, \g<1> and \g<name> in `repl`.
fn regex_replace(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [pattern, replacement, count] = args.bind(name, ["pattern", "repl", "count"])?;
    let pattern = required_text(pattern, name, "pattern")?;
    let replacement = required_text(replacement, name, "repl")?;
    let count = optional_int(count, name, "count")?.unwrap_or(0);
    let count = usize::try_from(count).ok().filter(|count| *count > 0).unwrap_or(usize::MAX);
    let text = required_text(Some(value), name, "string")?;
    if pattern.len() > MAX_PATTERN_BYTES {
        return over_budget(format!("regex_replace: the pattern is longer than {MAX_PATTERN_BYTES} bytes"));
    }
    renderer.lookup.meter.step(1 + pattern.len())?;
    let options = RegexOptions::REGEX_OPTION_CAPTURE_GROUP;
    let regex = match Regex::with_options(&pattern, options, Syntax::python()) {
        Ok(regex) => regex,
        Err(error) => return invalid(format!("regex_replace: {}", error.description())),
    };
    Ok(Value::text(substitute(&regex, &text, &replacement, count, renderer.lookup.meter)?))
}

extern "C" {
    fn onig_set_retry_limit_in_search_of_match_param(param: *mut c_void, limit: c_ulong) -> c_int;
}

/// What one call of Oniguruma may do: between two steps back it can go through the whole text.
fn search_limits(length: usize) -> onig::MatchParam {
    let retries = (1_000_000_000 / length.max(1)).clamp(1_000, 1_000_000) as u32;
    let mut limits = onig::MatchParam::default();
    limits.set_retry_limit_in_match(retries);
    // For all starts together; onig has a function for one of them only.
    unsafe {
        onig_set_retry_limit_in_search_of_match_param(limits.as_raw().cast(), c_ulong::from(retries));
    }
    limits
}

/// The first match that begins at `from` or later. In a long text every start is tried on its own, with
/// a look at the time.
fn search(regex: &Regex, text: &str, from: usize, meter: &Meter) -> Res<Option<onig::Region>> {
    let options = onig::SearchOptions::SEARCH_OPTION_NONE;
    let mut region = onig::Region::new();
    let is_long = text.len() > 10_000;
    let mut at = from;
    loop {
        meter.step(1)?;
        meter.watch()?;
        let limits = search_limits(text.len());
        let found = if is_long {
            regex.match_with_param(text, at, options, Some(&mut region), limits)
        } else {
            regex.search_with_param(text, at, text.len(), options, Some(&mut region), limits)
        };
        match found {
            Ok(Some(_)) => return Ok(Some(region)),
            Ok(None) if !is_long || at == text.len() => return Ok(None),
            Ok(None) => at += text[at..].chars().next().map_or(1, char::len_utf8),
            Err(error) => return over_budget(format!("regex_replace: {}", error.description())),
        }
    }
}

fn substitute(regex: &Regex, text: &str, replacement: &str, count: usize, meter: &Meter) -> Res<String> {
    if text.len() > MAX_SEARCHED_BYTES {
        return over_budget(format!("regex_replace: the text is longer than {MAX_SEARCHED_BYTES} bytes"));
    }
    let mut out = String::new();
    let (mut copied, mut from, mut made) = (0, 0, 0);
    while made < count && from <= text.len() {
        let Some(region) = search(regex, text, from, meter)? else { break };
        let Some((begin, end)) = region.pos(0) else { break };
        let before = out.len();
        out.push_str(&text[copied..begin]);
        expand(regex, &region, text, replacement, &mut out)?;
        meter.allocate(out.len() - before)?;
        copied = end;
        made += 1;
        let step = text[end..].chars().next().map_or(1, char::len_utf8);
        from = if begin == end { end + step } else { end };
    }
    out.push_str(&text[copied..]);
    Ok(out)
}

fn expand(regex: &Regex, region: &onig::Region, text: &str, replacement: &str, out: &mut String) -> Res<()> {
    let group = |index: usize| region.pos(index).map_or("", |(begin, end)| &text[begin..end]);
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some((name, behind)) = rest.strip_prefix("g<").and_then(|inner| inner.split_once('>')) {
            let index = name.parse().ok().or_else(|| group_number(regex, name));
            let Some(index) = index.filter(|index| *index < region.len()) else {
                return invalid(format!("regex_replace: unknown group '{name}'"));
            };
            out.push_str(group(index));
            rest = behind;
            continue;
        }
        let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let index = rest[..digits].parse().unwrap_or(usize::MAX);
            if index >= region.len() {
                return invalid(format!("regex_replace: invalid group reference {index}"));
            }
            out.push_str(group(index));
            rest = &rest[digits..];
            continue;
        }
        let Some(escape) = rest.chars().next() else { return invalid("regex_replace: bad escape at the end") };
        match escape {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            '\\' => out.push('\\'),
            c if c.is_ascii_alphabetic() => return invalid(format!("regex_replace: bad escape \\{c}")),
            c => out.extend(['\\', c]),
        }
        rest = &rest[escape.len_utf8()..];
    }
    out.push_str(rest);
    Ok(())
}

fn group_number(regex: &Regex, name: &str) -> Option<usize> {
    let mut number = None;
    regex.foreach_name(|candidate, groups| {
        if candidate == name {
            number = groups.first().map(|group| *group as usize);
        }
        true
    });
    number
}
