//! Jinja2's filters on values and lists, and those that the dialects add. text_filters.rs has the
//! ones on text.

use super::args::{optional_bool, optional_int, optional_text, required, Args};
use super::fault::{invalid, Res};
use super::lookup::path;
use super::meter::Meter;
use super::methods::pairs;
use super::ops::{arithmetic, charge_items, item, iterate, length, missing};
use super::print::{json_of, text_of, JsonStyle};
use super::render::Renderer;
use super::strings::lower;
use super::text_filters;
use super::value::{equal, Number, Value};
use super::ast::Operator;
use super::Dialect;

type Function = fn(&Renderer, &str, Value, Args) -> Res<Value>;

fn find(name: &str) -> Option<Function> {
    Some(match name {
        "abs" => absolute,
        "attr" => attribute,
        "batch" | "slice" => batch_or_slice,
        "count" | "length" => |_, _, value, _| Ok(Value::Int(length(&value)? as i128)),
        "d" | "default" => default,
        "dictsort" => dict_sort,
        "first" | "last" => first_or_last,
        "float" | "int" => to_number,
        "groupby" => group_by,
        "items" => items,
        "join" => join,
        "list" => |renderer, _, value, _| Ok(Value::list(iterate(&value, renderer.lookup.meter)?)),
        "map" => map,
        "max" | "min" => extreme,
        "reject" | "select" | "rejectattr" | "selectattr" => select,
        "reverse" => reverse,
        "round" => round,
        "safe" => |_, _, value, _| Ok(value),
        "sort" => sort_filter,
        "sum" => sum,
        "tojson" => to_json,
        "unique" => unique,
        _ => return None,
    })
}

pub fn exists(name: &str, dialect: Dialect) -> bool {
    let text = text_filters::find(name).is_some();
    if name == "regex_replace" { dialect == Dialect::Task } else { text || find(name).is_some() }
}

pub fn call(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let function = find(name).or_else(|| text_filters::find(name));
    match function.filter(|_| exists(name, renderer.dialect)) {
        Some(function) => function(renderer, name, value, args),
        None => invalid(format!("there is no filter named '{name}'")),
    }
}

fn absolute(_: &Renderer, _: &str, value: Value, _: Args) -> Res<Value> {
    value.need_defined()?;
    match value.as_number() {
        Some(Number::Int(value)) => Ok(Value::Int(value.saturating_abs())),
        Some(Number::Float(value)) => Ok(Value::Float(value.abs())),
        None => invalid(format!("bad operand type for abs(): '{}'", value.type_name())),
    }
}

fn attribute(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [key] = args.bind(name, ["name"])?;
    let key = required(key, name, "name")?;
    let Some(key) = key.as_str() else { return invalid("attr: the name must be a string") };
    if matches!(value, Value::Dict(_)) && !super::methods::exists(&value, key) {
        return Ok(missing(format!("'dict object' has no attribute '{key}'"), renderer.lookup.strict));
    }
    super::lookup::attribute(&value, key, &renderer.lookup)
}

fn batch_or_slice(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [count, fill] = args.bind(name, ["count", "fill_with"])?;
    let count = optional_int(count, name, "count")?.unwrap_or(0);
    let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else {
        return invalid(format!("{name}: the count must be positive"));
    };
    let fill = fill.filter(|fill| !matches!(fill, Value::None));
    let items = iterate(&value, renderer.lookup.meter)?;
    charge_items(if name == "slice" { count } else { count.min(items.len()) }, renderer.lookup.meter)?;
    let mut groups = Vec::new();
    if name == "batch" {
        for chunk in items.chunks(count) {
            let mut chunk = chunk.to_vec();
            if let Some(fill) = &fill {
                charge_items(count - chunk.len(), renderer.lookup.meter)?;
                chunk.resize(count, fill.clone());
            }
            groups.push(Value::list(chunk));
        }
        return Ok(Value::iterator(groups));
    }
    let (each, extra) = (items.len() / count, items.len() % count);
    let mut rest = items.into_iter();
    for index in 0..count {
        let mut group: Vec<Value> = rest.by_ref().take(each + (index < extra) as usize).collect();
        if index >= extra {
            group.extend(fill.clone());
        }
        groups.push(Value::list(group));
    }
    Ok(Value::iterator(groups))
}

fn default(_: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [default, boolean] = args.bind(name, ["default_value", "boolean"])?;
    let boolean = optional_bool(boolean, false)?;
    if value.is_undefined() || (boolean && !value.truth()?) {
        return Ok(default.unwrap_or_else(|| Value::text("")));
    }
    Ok(value)
}

/// Strings in lower case unless case counts.
fn folded(value: Value, case_sensitive: bool, meter: &Meter) -> Res<Value> {
    match &value {
        Value::Str(text) if !case_sensitive => {
            meter.step(1 + text.len() / 64)?;
            meter.allocate(text.len())?;
            Ok(Value::text(lower(text)))
        }
        _ => Ok(value),
    }
}

/// Items sorted by a key.
fn sorted_by(
    items: Vec<Value>,
    reverse: bool,
    meter: &Meter,
    key: impl Fn(&Value) -> Res<Value>,
) -> Res<Vec<Value>> {
    let mut keyed = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        keyed.push((key(item)?, position));
    }
    let mut fault = None;
    keyed.sort_by(|(a, _), (b, _)| {
        let (a, b) = if reverse { (b, a) } else { (a, b) };
        let ordering = super::ops::order(a, b, Operator::Lt, 50, meter);
        ordering.unwrap_or_else(|error| {
            fault.get_or_insert(error);
            None
        })
        .unwrap_or(std::cmp::Ordering::Equal)
    });
    match fault {
        Some(fault) => Err(fault),
        None => Ok(keyed.into_iter().map(|(_, position)| items[position].clone()).collect()),
    }
}

fn dict_sort(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [case, by, reverse] = args.bind(name, ["case_sensitive", "by", "reverse"])?;
    let Value::Dict(dict) = &value else { return invalid("dictsort: the value must be a dict") };
    let case = optional_bool(case, false)?;
    let at = match by.as_ref().and_then(Value::as_str) {
        None | Some("key") => Value::Int(0),
        Some("value") => Value::Int(1),
        _ => return invalid("dictsort: by is 'key' or 'value'"),
    };
    charge_items(3 * dict.0.borrow().len(), renderer.lookup.meter)?;
    let items = pairs(&dict.0.borrow());
    let key = |pair: &Value| {
        folded(item(pair, &at, renderer.lookup.meter)?.unwrap_or(Value::None), case, renderer.lookup.meter)
    };
    Ok(Value::list(sorted_by(items, optional_bool(reverse, false)?, renderer.lookup.meter, key)?))
}

fn first_or_last(renderer: &Renderer, name: &str, value: Value, _: Args) -> Res<Value> {
    if name == "last" && matches!(value, Value::Iterator(_)) {
        return invalid("'generator' object is not reversible");
    }
    let mut items = match &value {
        Value::Iterator(cells) if !cells.0.borrow().is_empty() => {
            renderer.lookup.meter.step(1 + cells.0.borrow().len() / 64)?;
            vec![cells.0.borrow_mut().remove(0)]
        }
        _ => iterate(&value, renderer.lookup.meter)?,
    };
    let found = if name == "last" { items.pop() } else { items.into_iter().next() };
    Ok(found.unwrap_or_else(|| missing(format!("no {name} item, sequence was empty"), renderer.lookup.strict)))
}

fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim_matches(super::strings::is_space).replace('_', "");
    text.parse().ok()
}

fn to_number(_: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    value.need_defined()?;
    let parsed = if name == "float" {
        let [default] = args.bind(name, ["default"])?;
        let number = match &value {
            Value::Str(text) => parse_float(text),
            other => other.as_number().map(Number::float),
        };
        return Ok(number.map_or_else(|| default.unwrap_or(Value::Float(0.0)), Value::Float));
    } else {
        let [default, base] = args.bind(name, ["default", "base"])?;
        let base = optional_int(base, name, "base")?.unwrap_or(10);
        let number = match &value {
            Value::Str(text) => integer_of(text, base).or_else(|| parse_float(text).and_then(truncated)),
            other => match other.as_number() {
                Some(Number::Int(value)) => Some(value),
                Some(Number::Float(value)) if value.abs() >= 1e38 && value.is_finite() => {
                    return invalid("an integer is larger than 128 bits");
                }
                Some(Number::Float(value)) => truncated(value),
                None => None,
            },
        };
        number.map_or_else(|| default.unwrap_or(Value::Int(0)), Value::Int)
    };
    Ok(parsed)
}

fn truncated(value: f64) -> Option<i128> {
    value.is_finite().then_some(value.trunc() as i128)
}

fn integer_of(text: &str, base: i128) -> Option<i128> {
    let text = text.trim_matches(super::strings::is_space);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with(['+', '-', '_']) || digits.ends_with('_') {
        return None;
    }
    let radix = u32::try_from(base).ok().filter(|radix| (2..=36).contains(radix))?;
    let prefix = match radix {
        16 => "0x",
        8 => "0o",
        2 => "0b",
        _ => "",
    };
    let digits = digits.to_lowercase().replace('_', "");
    i128::from_str_radix(digits.strip_prefix(prefix).unwrap_or(&digits), radix).ok().map(|v| sign * v)
}

fn group_by(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [attribute, default, case] = args.bind(name, ["attribute", "default", "case_sensitive"])?;
    let attribute = required(attribute, name, "attribute")?;
    let case = optional_bool(case, false)?;
    let key = |item: &Value| path(item, &attribute, default.as_ref(), &renderer.lookup);
    let items = iterate(&value, renderer.lookup.meter)?;
    charge_items(items.len(), renderer.lookup.meter)?;
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    let meter = renderer.lookup.meter;
    for item in sorted_by(items, false, meter, |item| folded(key(item)?, case, meter))? {
        let own = key(&item)?;
        let same = match groups.last() {
            Some((last, _)) => equal(&folded(last.clone(), case, meter)?, &folded(own.clone(), case, meter)?, meter)?,
            None => false,
        };
        match groups.last_mut().filter(|_| same) {
            Some((_, group)) => group.push(item),
            None => groups.push((own, vec![item])),
        }
    }
    let tuple = |(key, group)| Value::tuple(vec![key, Value::list(group)]);
    Ok(Value::list(groups.into_iter().map(tuple).collect()))
}

fn items(renderer: &Renderer, _: &str, value: Value, _: Args) -> Res<Value> {
    match &value {
        Value::Undefined(_) => Ok(Value::iterator(Vec::new())),
        Value::Dict(dict) => {
            charge_items(3 * dict.0.borrow().len(), renderer.lookup.meter)?;
            Ok(Value::iterator(pairs(&dict.0.borrow())))
        }
        _ => invalid("can only get item pairs from a mapping"),
    }
}

fn join(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [separator, attribute] = args.bind(name, ["d", "attribute"])?;
    let meter = renderer.lookup.meter;
    let separator = separator.map_or(Ok(String::new()), |separator| text_of(&separator, meter))?;
    let mut out = String::new();
    for (index, item) in iterate(&value, meter)?.into_iter().enumerate() {
        let item = match &attribute {
            None | Some(Value::None) => item,
            Some(attribute) => path(&item, attribute, None, &renderer.lookup)?,
        };
        let text = text_of(&item, meter)?;
        meter.allocate(text.len() + separator.len())?;
        out.push_str(if index > 0 { &separator } else { "" });
        out.push_str(&text);
    }
    Ok(Value::text(out))
}

fn map(renderer: &Renderer, name: &str, value: Value, mut args: Args) -> Res<Value> {
    if !value.truth()? {
        return Ok(Value::iterator(Vec::new())); // None too
    }
    let items = iterate(&value, renderer.lookup.meter)?;
    charge_items(items.len(), renderer.lookup.meter)?;
    let mut mapped = Vec::with_capacity(items.len());
    if args.positional.is_empty() && args.named.iter().any(|(n, _)| &**n == "attribute") {
        let [attribute, default] = args.bind(name, ["attribute", "default"])?;
        let attribute = required(attribute, name, "attribute")?;
        let default = default.filter(|default| !matches!(default, Value::None));
        for item in items {
            mapped.push(path(&item, &attribute, default.as_ref(), &renderer.lookup)?);
        }
        return Ok(Value::iterator(mapped));
    }
    if args.positional.is_empty() {
        return invalid("map requires a filter argument");
    }
    let filter = args.positional.remove(0);
    let Some(filter) = filter.as_str() else { return invalid("map: the filter's name must be a string") };
    for item in items {
        let args = Args { positional: args.positional.clone(), named: args.named.clone() };
        mapped.push(call(renderer, filter, item, args)?);
    }
    Ok(Value::iterator(mapped))
}

fn select(renderer: &Renderer, name: &str, value: Value, mut args: Args) -> Res<Value> {
    if !value.truth()? {
        return Ok(Value::iterator(Vec::new())); // None too
    }
    let wanted = name.starts_with("select");
    let mut attribute = None;
    if name.ends_with("attr") {
        if args.positional.is_empty() {
            return invalid(format!("{name}: the attribute's name is missing"));
        }
        attribute = Some(args.positional.remove(0));
    }
    let test = if args.positional.is_empty() { None } else { Some(args.positional.remove(0)) };
    let test = match &test {
        Some(test) => Some(test.as_str().map_or_else(|| invalid("the test's name must be a string"), Ok)?),
        None => None,
    };
    let mut selected = Vec::new();
    for item in iterate(&value, renderer.lookup.meter)? {
        let tested = match &attribute {
            Some(attribute) => path(&item, attribute, None, &renderer.lookup)?,
            None => item.clone(),
        };
        let passed = match test {
            Some(test) => super::predicates::call(renderer, test, &tested, &args.positional)?,
            None => tested.truth()?,
        };
        if passed == wanted {
            selected.push(item);
        }
    }
    Ok(Value::iterator(selected))
}

fn extreme(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [case, attribute] = args.bind(name, ["case_sensitive", "attribute"])?;
    let case = optional_bool(case, false)?;
    let items = iterate(&value, renderer.lookup.meter)?;
    let key = |item: &Value| match &attribute {
        None | Some(Value::None) => folded(item.clone(), case, renderer.lookup.meter),
        Some(attribute) => folded(path(item, attribute, None, &renderer.lookup)?, case, renderer.lookup.meter),
    };
    let ordered = sorted_by(items, name == "max", renderer.lookup.meter, key)?;
    let empty = || missing(format!("no {name} item, sequence was empty"), renderer.lookup.strict);
    Ok(ordered.into_iter().next().unwrap_or_else(empty))
}

fn reverse(renderer: &Renderer, _: &str, value: Value, _: Args) -> Res<Value> {
    value.need_defined()?;
    let mut items = iterate(&value, renderer.lookup.meter)?;
    items.reverse();
    if let Value::Str(text) = &value {
        renderer.lookup.meter.allocate(text.len())?;
        return Ok(Value::text(text.chars().rev().collect::<String>()));
    }
    Ok(Value::iterator(items))
}

fn round(_: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [precision, method] = args.bind(name, ["precision", "method"])?;
    let precision = optional_int(precision, name, "precision")?.unwrap_or(0).clamp(-300, 300) as i32;
    let method = optional_text(method, name, "method")?.unwrap_or_else(|| "common".into());
    value.need_defined()?;
    let Some(number) = value.as_number() else {
        return invalid(format!("type {} cannot be rounded", value.type_name()));
    };
    let scale = 10f64.powi(precision);
    let rounded = match (&*method, number) {
        ("common", Number::Int(value)) if precision >= 0 => return Ok(Value::Int(value)),
        ("common", number) if precision >= 0 => {
            format!("{:.*}", precision as usize, number.float()).parse().unwrap_or(f64::NAN)
        }
        ("common", number) => (number.float() * scale).round_ties_even() / scale,
        ("ceil", number) => (number.float() * scale).ceil() / scale,
        ("floor", number) => (number.float() * scale).floor() / scale,
        _ => return invalid("round: the method is 'common', 'ceil' or 'floor'"),
    };
    Ok(match number {
        Number::Int(_) if &*method == "common" => Value::Int(rounded as i128),
        _ => Value::Float(rounded),
    })
}

fn sort_filter(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [reverse, case, attribute] = args.bind(name, ["reverse", "case_sensitive", "attribute"])?;
    let (reverse, case) = (optional_bool(reverse, false)?, optional_bool(case, false)?);
    let meter = renderer.lookup.meter;
    let items = iterate(&value, meter)?;
    charge_items(items.len(), meter)?;
    let attribute = attribute.filter(|attribute| !matches!(attribute, Value::None));
    // Lists, as Jinja2 makes them: what is equal needs no order.
    let key = |item: &Value| {
        charge_items(1, meter)?;
        let paths = match &attribute {
            None => return Ok(Value::list(vec![folded(item.clone(), case, meter)?])),
            Some(Value::Str(several)) => several.split(',').map(Value::text).collect(),
            Some(one) => vec![one.clone()],
        };
        let keys = paths.iter().map(|one| folded(path(item, one, None, &renderer.lookup)?, case, meter));
        Ok(Value::list(keys.collect::<Res<_>>()?))
    };
    Ok(Value::list(sorted_by(items, reverse, meter, key)?))
}

fn sum(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [attribute, start] = args.bind(name, ["attribute", "start"])?;
    let mut total = start.unwrap_or(Value::Int(0));
    for item in iterate(&value, renderer.lookup.meter)? {
        let item = match &attribute {
            None | Some(Value::None) => item,
            Some(attribute) => path(&item, attribute, None, &renderer.lookup)?,
        };
        total = arithmetic(Operator::Add, &total, &item, renderer.lookup.meter)?;
    }
    Ok(total)
}

fn to_json(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let meter = renderer.lookup.meter;
    let indent_of = |value: Option<Value>| match value {
        Some(Value::Str(text)) => Ok(Some(text.to_string())),
        other => {
            let width = optional_int(other, name, "indent")?;
            Ok(width.map(|width| " ".repeat(width.clamp(0, 100) as usize)))
        }
    };
    if renderer.dialect == Dialect::Task {
        // Jinja2's own, made for HTML.
        let [indent] = args.bind(name, ["indent"])?;
        let style = JsonStyle { ensure_ascii: true, sort_keys: true, ..JsonStyle::new(indent_of(indent)?) };
        let text = json_of(&value, &style, meter)?;
        meter.allocate(6 * text.len())?;
        let text = text.replace('<', "\\u003c").replace('>', "\\u003e");
        return Ok(Value::text(text.replace('&', "\\u0026").replace('\'', "\\u0027")));
    }
    let [ascii, indent, separators, sorted] =
        args.bind(name, ["ensure_ascii", "indent", "separators", "sort_keys"])?;
    let mut style = JsonStyle::new(indent_of(indent)?);
    style.ensure_ascii = optional_bool(ascii, false)?;
    style.sort_keys = optional_bool(sorted, false)?;
    if let Some(separators) = separators.filter(|value| !matches!(value, Value::None)) {
        let pair = iterate(&separators, meter)?;
        let (Some(Value::Str(items)), Some(Value::Str(keys))) = (pair.first(), pair.get(1)) else {
            return invalid("tojson: separators are two strings");
        };
        (style.item_separator, style.key_separator) = (items.to_string(), keys.to_string());
    }
    Ok(Value::text(json_of(&value, &style, meter)?))
}

fn unique(renderer: &Renderer, name: &str, value: Value, args: Args) -> Res<Value> {
    let [case, attribute] = args.bind(name, ["case_sensitive", "attribute"])?;
    let case = optional_bool(case, false)?;
    let mut seen = super::value::Dict::new();
    let mut kept = Vec::new();
    for item in iterate(&value, renderer.lookup.meter)? {
        let key = match &attribute {
            None | Some(Value::None) => item.clone(),
            Some(attribute) => path(&item, attribute, None, &renderer.lookup)?,
        };
        if seen.insert(super::value::Key::new(folded(key, case, renderer.lookup.meter)?, renderer.lookup.meter)?, Value::None).is_none() {
            kept.push(item);
        }
    }
    Ok(Value::iterator(kept))
}
