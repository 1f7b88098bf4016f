//! `'%5.2f' % x` and `'{:>8}'.format(x)`.

use std::rc::Rc;

use super::fault::{invalid, over_budget, Res};
use super::lookup::{attribute_or_item, Lookup};
use super::meter::Meter;
use super::print::{repr_of, text_of};
use super::ops::charge_items;
use super::value::{DictCell, Key, Number, Value};

const MAX_WIDTH: usize = 1 << 20;

/// How one value is to be written; the union of both notations.
#[derive(Default)]
struct Spec {
    fill: char,
    align: char, // '<', '>', '^', '=' or NUL: as the type has it
    sign: char,  // '+', ' ' or NUL
    alternate: bool,
    width: usize,
    group: Option<char>,
    precision: Option<usize>,
    kind: char, // NUL: none given
}

fn limited(number: &str) -> Res<usize> {
    match number.parse() {
        Ok(width) if width <= MAX_WIDTH => Ok(width),
        _ => over_budget(format!("a format is more than {MAX_WIDTH} wide")),
    }
}

fn pad(body: String, sign: &str, spec: &Spec, default_align: char) -> String {
    let length = body.chars().count() + sign.len();
    let missing = spec.width.saturating_sub(length);
    let fill = |count: usize| String::from(spec.fill).repeat(count);
    match if spec.align == '\0' { default_align } else { spec.align } {
        '<' => format!("{sign}{body}{}", fill(missing)),
        '^' => format!("{}{sign}{body}{}", fill(missing / 2), fill(missing - missing / 2)),
        '=' => format!("{sign}{}{body}", fill(missing)),
        _ => format!("{}{sign}{body}", fill(missing)),
    }
}

fn sign_of(negative: bool, spec: &Spec) -> String {
    match spec.sign {
        _ if negative => "-".into(),
        '+' | ' ' => spec.sign.to_string(),
        _ => String::new(),
    }
}

fn grouped(digits: &str, group: Option<char>) -> String {
    let Some(separator) = group else { return digits.to_string() };
    let whole = digits.find(['.', 'e']).unwrap_or(digits.len());
    let mut out = String::new();
    for (index, c) in digits[..whole].chars().enumerate() {
        if index > 0 && (whole - index).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(c);
    }
    out + &digits[whole..]
}

/// Digits that a float can have behind its point; what is behind them is zeros.
const MAX_DIGITS: usize = 1100;

fn zeros(precision: usize) -> String {
    "0".repeat(precision.saturating_sub(MAX_DIGITS))
}

fn fixed_form(value: f64, precision: usize) -> String {
    format!("{value:.*}{}", precision.min(MAX_DIGITS), zeros(precision))
}

fn exponent_form(value: f64, precision: usize) -> String {
    let text = format!("{value:.*e}", precision.min(MAX_DIGITS));
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}{}e{sign}{:02}", zeros(precision), exponent.abs())
}

/// C's %g: `precision` significant digits, trailing zeros dropped.
fn general_form(value: f64, precision: usize, keep_zeros: bool) -> String {
    let precision = precision.max(1);
    let scientific = exponent_form(value, precision - 1);
    let exponent: i32 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    let (digits, tail) = if exponent < -4 || exponent >= precision as i32 {
        let (digits, tail) = scientific.split_once('e').unwrap_or((&scientific, ""));
        (digits.to_string(), format!("e{tail}"))
    } else {
        (fixed_form(value, (precision as i32 - 1 - exponent).max(0) as usize), String::new())
    };
    if keep_zeros || !digits.contains('.') {
        return digits + &tail;
    }
    digits.trim_end_matches('0').trim_end_matches('.').to_string() + &tail
}

fn write_float(value: f64, spec: &Spec) -> Res<String> {
    let sign = sign_of(value.is_sign_negative() && !value.is_nan(), spec);
    let magnitude = value.abs();
    let precision = spec.precision.unwrap_or(6);
    let body = if !value.is_finite() {
        if value.is_nan() { "nan".into() } else { "inf".into() }
    } else {
        match spec.kind {
            'f' | 'F' => fixed_form(magnitude, precision),
            'e' | 'E' => exponent_form(magnitude, precision),
            'g' | 'G' => general_form(magnitude, precision, spec.alternate),
            '%' => fixed_form(magnitude * 100.0, precision) + "%",
            _ if spec.precision.is_some() => general_form(magnitude, precision, false),
            _ => super::strings::float_repr(magnitude),
        }
    };
    let body = if spec.kind.is_ascii_uppercase() { body.to_uppercase() } else { body };
    Ok(pad(grouped(&body, spec.group), &sign, spec, '>'))
}

fn write_int(value: i128, spec: &Spec) -> Res<String> {
    let sign = sign_of(value < 0, spec);
    let magnitude = value.unsigned_abs();
    let (prefix, digits) = match spec.kind {
        'x' => ("0x", format!("{magnitude:x}")),
        'X' => ("0X", format!("{magnitude:X}")),
        'o' => ("0o", format!("{magnitude:o}")),
        'b' => ("0b", format!("{magnitude:b}")),
        'c' => ("", u32::try_from(value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()),
        _ => ("", magnitude.to_string()),
    };
    let sign = sign + if spec.alternate { prefix } else { "" };
    Ok(pad(grouped(&digits, spec.group), &sign, spec, '>'))
}

fn write_text(text: &str, spec: &Spec) -> String {
    let cut: String = text.chars().take(spec.precision.unwrap_or(usize::MAX)).collect();
    pad(cut, "", spec, '<')
}

/// `pattern % arguments`.
pub fn percent(pattern: &str, arguments: &Value, meter: &Meter) -> Res<String> {
    meter.step(1 + pattern.len() / 64)?;
    meter.allocate(pattern.len())?;
    let (positional, mapping) = match arguments {
        Value::Tuple(cells) => {
            charge_items(cells.0.borrow().len(), meter)?;
            (cells.0.borrow().clone(), None)
        }
        Value::Dict(dict) => (vec![arguments.clone()], Some(dict.clone())),
        other => (vec![other.clone()], None),
    };
    let mut source = PercentArguments { positional, used: 0, mapping };
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let (text, length) = source.one(&rest[at + 1..], meter)?;
        meter.output(out.len(), text.len())?;
        out.push_str(&text);
        rest = &rest[at + 1 + length..];
    }
    let is_mapping = matches!(arguments, Value::Dict(_) | Value::List(_) | Value::Range(_));
    if !is_mapping && source.used < source.positional.len() {
        return invalid("not all arguments converted during string formatting");
    }
    Ok(out + rest)
}

struct PercentArguments {
    positional: Vec<Value>,
    used: usize,
    mapping: Option<Rc<DictCell>>,
}

impl PercentArguments {
    fn next(&mut self) -> Res<Value> {
        self.used += 1;
        match self.positional.get(self.used - 1) {
            Some(value) => Ok(value.clone()),
            None => invalid("not enough arguments for format string"),
        }
    }

    /// One conversion behind its '%': the text, and how much of the pattern it was.
    fn one(&mut self, source: &str, meter: &Meter) -> Res<(String, usize)> {
        let mut rest = source;
        let mut value = None;
        if let (Some(inner), Some(mapping)) = (rest.strip_prefix('('), &self.mapping) {
            let Some((name, behind)) = inner.split_once(')') else { return invalid("incomplete format key") };
            meter.step(1 + name.len() / 64)?;
            let found = mapping.0.borrow().get(&Key::text(name)).cloned();
            value = Some(found.map_or_else(|| invalid(format!("key '{name}' is missing")), Ok)?);
            rest = behind;
        }
        let mut spec = Spec { fill: ' ', ..Spec::default() };
        rest = self.flags(rest, &mut spec)?;
        rest = rest.trim_start_matches(['h', 'l', 'L']);
        let Some(kind) = rest.chars().next() else { return invalid("incomplete format") };
        let length = source.len() - rest.len() + kind.len_utf8();
        if kind == '%' {
            return Ok(("%".into(), length));
        }
        let value = value.map_or_else(|| self.next(), Ok)?;
        Ok((percent_value(&value, kind, spec, meter)?, length))
    }

    fn flags<'a>(&mut self, mut rest: &'a str, spec: &mut Spec) -> Res<&'a str> {
        while let Some(flag) = rest.chars().next().filter(|c| "-+ #0".contains(*c)) {
            match flag {
                '-' => spec.align = '<',
                '+' => spec.sign = '+',
                ' ' if spec.sign != '+' => spec.sign = ' ',
                '#' => spec.alternate = true,
                '0' if spec.align != '<' => (spec.fill, spec.align) = ('0', '='),
                _ => {}
            }
            rest = &rest[1..];
        }
        if let (Some(width), behind) = self.number(rest)? {
            (spec.width, rest) = (width, behind);
        }
        if let Some(behind) = rest.strip_prefix('.') {
            let (precision, behind) = self.number(behind)?;
            (spec.precision, rest) = (Some(precision.unwrap_or(0)), behind);
        }
        Ok(rest)
    }

    fn number<'a>(&mut self, rest: &'a str) -> Res<(Option<usize>, &'a str)> {
        if let Some(behind) = rest.strip_prefix('*') {
            let width = self.next()?.as_int().unwrap_or(-1);
            return Ok((Some(limited(&width.to_string())?), behind));
        }
        let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number = if length > 0 { Some(limited(&rest[..length])?) } else { None };
        Ok((number, &rest[length..]))
    }
}

fn percent_value(value: &Value, kind: char, mut spec: Spec, meter: &Meter) -> Res<String> {
    spec.kind = kind;
    let align = if spec.align == '\0' { '>' } else { spec.align };
    match kind {
        's' | 'r' | 'a' => {
            let text = if kind == 's' { text_of(value, meter)? } else { repr_of(value, meter)? };
            (spec.align, spec.fill) = (if align == '=' { '>' } else { align }, ' ');
            Ok(write_text(&text, &spec))
        }
        'c' if value.as_str().is_some() => {
            spec.align = align;
            Ok(write_text(value.as_str().unwrap_or(""), &spec))
        }
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' | 'c' => match value.as_number() {
            Some(Number::Int(value)) => write_int(value, &spec),
            Some(Number::Float(value)) if matches!(kind, 'd' | 'i' | 'u') && value.abs() < 1e38 => {
                write_int(value.trunc() as i128, &spec)
            }
            _ => invalid(format!("%{kind} format: a number is required, not {}", value.type_name())),
        },
        'f' | 'F' | 'e' | 'E' | 'g' | 'G' => match value.as_number() {
            Some(number) => write_float(number.float(), &spec),
            None => invalid(format!("must be real number, not {}", value.type_name())),
        },
        _ => invalid(format!("unsupported format character '{kind}'")),
    }
}

/// `pattern.format(*positional, **named)`.
pub fn format(pattern: &str, positional: &[Value], named: &[(super::value::Text, Value)], lookup: &Lookup) -> Res<String> {
    let mut out = String::new();
    let mut automatic = 0;
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let bracket = &rest[at..at + 1];
        if rest[at + 1..].starts_with(bracket) {
            out.push_str(bracket);
            rest = &rest[at + 2..];
            continue;
        }
        let Some(end) = rest[at..].find('}').filter(|_| bracket == "{") else {
            return invalid("single '{' or '}' in format string");
        };
        let field = &rest[at + 1..at + end];
        let text = replacement(field, positional, named, &mut automatic, lookup)?;
        lookup.meter.output(out.len(), text.len())?;
        out.push_str(&text);
        rest = &rest[at + end + 1..];
    }
    Ok(out + rest)
}

fn replacement(
    field: &str,
    positional: &[Value],
    named: &[(super::value::Text, Value)],
    automatic: &mut usize,
    lookup: &Lookup,
) -> Res<String> {
    let (name, spec) = field.split_once(':').unwrap_or((field, ""));
    let (name, conversion) = name.split_once('!').unwrap_or((name, ""));
    let first = name.find(['.', '[']).unwrap_or(name.len());
    let base = &name[..first];
    let position = if base.is_empty() {
        *automatic += 1;
        Some(*automatic - 1)
    } else {
        base.parse().ok()
    };
    let value = match position {
        Some(index) => positional.get(index).cloned(),
        None => named.iter().find(|(n, _)| &**n == base).map(|(_, value)| value.clone()),
    };
    let Some(mut value) = value else { return invalid(format!("format() has no argument '{base}'")) };
    for part in name[first..].split(['.', '[']).filter(|part| !part.is_empty()) {
        let key = part.trim_end_matches(']');
        let key = key.parse().map_or_else(|_| Value::text(key), Value::Int);
        value = attribute_or_item(&value, &key, lookup)?;
        value.need_defined()?;
    }
    let value = match conversion {
        "s" => Value::text(text_of(&value, lookup.meter)?),
        "r" | "a" => Value::text(repr_of(&value, lookup.meter)?),
        _ => value,
    };
    format_value(&value, spec, lookup.meter)
}

fn format_spec(source: &str) -> Res<Spec> {
    let mut spec = Spec { fill: ' ', ..Spec::default() };
    let chars: Vec<char> = source.chars().collect();
    let mut at = 0;
    let is_align = |c: Option<&char>| c.is_some_and(|c| "<>^=".contains(*c));
    if is_align(chars.get(1)) {
        (spec.fill, spec.align, at) = (chars[0], chars[1], 2);
    } else if is_align(chars.first()) {
        (spec.align, at) = (chars[0], 1);
    }
    if let Some(sign) = chars.get(at).filter(|c| "+- ".contains(**c)) {
        spec.sign = if *sign == '-' { '\0' } else { *sign };
        at += 1;
    }
    if chars.get(at) == Some(&'#') {
        spec.alternate = true;
        at += 1;
    }
    if chars.get(at) == Some(&'0') && spec.align == '\0' {
        (spec.fill, spec.align) = ('0', '=');
    }
    let digits = |from: usize| chars[from..].iter().take_while(|c| c.is_ascii_digit()).collect::<String>();
    let width = digits(at);
    at += width.len();
    spec.width = if width.is_empty() { 0 } else { limited(&width)? };
    if let Some(group) = chars.get(at).filter(|c| matches!(c, ',' | '_')) {
        spec.group = Some(*group);
        at += 1;
    }
    if chars.get(at) == Some(&'.') {
        let precision = digits(at + 1);
        at += 1 + precision.len();
        spec.precision = Some(limited(&precision)?);
    }
    spec.kind = chars.get(at).copied().unwrap_or('\0');
    if at + (spec.kind != '\0') as usize != chars.len() {
        return invalid(format!("invalid format specifier '{source}'"));
    }
    Ok(spec)
}

fn format_value(value: &Value, source: &str, meter: &Meter) -> Res<String> {
    let mut spec = format_spec(source)?;
    match value {
        Value::Int(number) if matches!(spec.kind, '\0' | 'd' | 'x' | 'X' | 'o' | 'b' | 'c' | 'n') => {
            write_int(*number, &spec)
        }
        Value::Int(_) | Value::Float(_) | Value::Bool(_) if "eEfFgG%".contains(spec.kind) => {
            write_float(value.as_number().map_or(0.0, Number::float), &spec)
        }
        Value::Float(number) if spec.kind == '\0' => write_float(*number, &spec),
        _ if matches!(spec.kind, '\0' | 's') => {
            if spec.align == '=' {
                spec.align = '<';
            }
            Ok(write_text(&text_of(value, meter)?, &spec))
        }
        other => invalid(format!(
            "unknown format code '{}' for object of type '{}'",
            spec.kind,
            other.type_name()
        )),
    }
}
