//! Expressions and calls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::args::{optional_int, optional_text, required_text, Args};
use super::ast::*;
use super::fault::{invalid, Res};
use super::lookup::{attribute, attribute_or_item};
use super::methods::{call as call_method, dict_of};
use super::ops::{arithmetic, compare, iterate, slice, FARTHEST};
use super::print::text_of;
use super::render::Renderer;
use super::scope::Scope;
use super::value::{Cells, Cycler, Dict, DictCell, Key, Number, Range, Text, Value};
use super::{filters, predicates, Dialect};

const MAX_SANDBOX_RANGE: i128 = 100_000;

impl Renderer<'_> {
    pub fn evaluate(&self, expr: &Expr, scope: &Rc<Scope>) -> Res<Value> {
        self.lookup.meter.step(1)?;
        Ok(match expr {
            Expr::None => Value::None,
            Expr::Bool(value) => Value::Bool(*value),
            Expr::Int(value) => Value::Int(*value),
            Expr::Float(value) => Value::Float(*value),
            Expr::Str(text) => Value::Str(text.clone()),
            Expr::Name(name) => self.name(name, scope),
            Expr::Not(value) => Value::Bool(!self.evaluate(value, scope)?.truth()?),
            Expr::Postfix(base, steps) => {
                let mut value = self.evaluate(base, scope)?;
                for step in steps {
                    value = self.postfix(value, step, scope)?;
                }
                value
            }
            Expr::Condition { test, then, otherwise } => {
                if self.evaluate(test, scope)?.truth()? {
                    self.evaluate(then, scope)?
                } else if let Some(otherwise) = otherwise {
                    self.evaluate(otherwise, scope)?
                } else {
                    // Never the strict kind, in Jinja2 either.
                    super::ops::missing("the inline if-expression was false and has no else".into(), false)
                }
            }
            _ => self.compound(expr, scope)?,
        })
    }

    fn compound(&self, expr: &Expr, scope: &Rc<Scope>) -> Res<Value> {
        let meter = self.lookup.meter;
        match expr {
            Expr::List(items) => Ok(Value::list(self.all(items, scope)?)),
            Expr::Tuple(items) => Ok(Value::tuple(self.all(items, scope)?)),
            Expr::Dict(entries) => {
                let mut dict = Dict::new();
                for (key, value) in entries {
                    let key = Key::new(self.evaluate(key, scope)?, meter)?;
                    meter.allocate(2 * size_of::<Value>())?;
                    dict.insert(key, self.evaluate(value, scope)?);
                }
                Ok(Value::dict(dict))
            }
            Expr::Negative(value) => arithmetic(Operator::Mul, &self.number(value, scope)?, &Value::Int(-1), meter),
            Expr::Positive(value) => self.number(value, scope),
            Expr::And(operands) => self.logic(operands, false, scope),
            Expr::Or(operands) => self.logic(operands, true, scope),
            Expr::Concat(operands) => {
                let mut out = String::new();
                for operand in operands {
                    let text = text_of(&self.evaluate(operand, scope)?, meter)?;
                    meter.allocate(text.len())?;
                    out.push_str(&text);
                }
                Ok(Value::text(out))
            }
            Expr::Compare(first, rest) => {
                let mut left = self.evaluate(first, scope)?;
                for (operator, right) in rest {
                    let right = self.evaluate(right, scope)?;
                    if !compare(*operator, &left, &right, meter)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Expr::Arithmetic(first, rest) => {
                let mut left = self.evaluate(first, scope)?;
                for (operator, right) in rest {
                    left = arithmetic(*operator, &left, &self.evaluate(right, scope)?, meter)?;
                }
                Ok(left)
            }
            _ => Ok(Value::None), // the rest is in evaluate
        }
    }

    /// The operand of a sign.
    fn number(&self, operand: &Expr, scope: &Rc<Scope>) -> Res<Value> {
        let value = self.evaluate(operand, scope)?;
        value.need_defined()?;
        match value.as_number() {
            Some(Number::Int(value)) => Ok(Value::Int(value)),
            Some(Number::Float(value)) => Ok(Value::Float(value)),
            None => invalid(format!("a sign before a value of type '{}'", value.type_name())),
        }
    }

    fn all(&self, items: &[Expr], scope: &Rc<Scope>) -> Res<Vec<Value>> {
        super::ops::charge_items(items.len(), self.lookup.meter)?;
        items.iter().map(|item| self.evaluate(item, scope)).collect()
    }

    /// The first operand that decides, or the last.
    fn logic(&self, operands: &[Expr], deciding: bool, scope: &Rc<Scope>) -> Res<Value> {
        let mut value = Value::None;
        for (index, operand) in operands.iter().enumerate() {
            value = self.evaluate(operand, scope)?;
            if index + 1 < operands.len() && value.truth()? == deciding {
                break;
            }
        }
        Ok(value)
    }

    fn name(&self, name: &Text, scope: &Rc<Scope>) -> Value {
        if let Some(value) = scope.get(name) {
            return value;
        }
        match &**name {
            "range" => Value::Function("range"),
            "dict" => Value::Function("dict"),
            "namespace" => Value::Function("namespace"),
            "cycler" => Value::Function("cycler"),
            "joiner" => Value::Function("joiner"),
            "raise_exception" if self.dialect == Dialect::Chat => Value::Function("raise_exception"),
            "strftime_now" if self.dialect == Dialect::Chat => Value::Function("strftime_now"),
            _ => self.lookup.undefined_name(name),
        }
    }

    fn postfix(&self, value: Value, step: &Postfix, scope: &Rc<Scope>) -> Res<Value> {
        self.lookup.meter.step(1)?;
        match step {
            Postfix::Attribute(name) => attribute(&value, name, &self.lookup),
            Postfix::Item(key) => attribute_or_item(&value, &self.evaluate(key, scope)?, &self.lookup),
            Postfix::Slice(start, stop, step) => {
                let bound = |part: &Option<Expr>| {
                    part.as_ref().map(|part| self.evaluate(part, scope)).transpose()
                };
                let bounds = [bound(start)?, bound(stop)?, bound(step)?];
                slice(&value, bounds, self.lookup.meter)
            }
            Postfix::Call(arguments) => {
                let arguments = self.arguments(arguments, scope)?;
                self.call(&value, arguments)
            }
            Postfix::Filter(name, arguments) => {
                let arguments = self.arguments(arguments, scope)?;
                filters::call(self, name, value, arguments)
            }
            Postfix::Test { name, arguments, negated } => {
                let arguments = self.arguments(arguments, scope)?;
                let passed = predicates::call(self, name, &value, &arguments.positional)?;
                Ok(Value::Bool(passed != *negated))
            }
        }
    }

    pub fn arguments(&self, arguments: &CallArguments, scope: &Rc<Scope>) -> Res<Args> {
        let mut args = Args::of(self.all(&arguments.positional, scope)?);
        for (name, value) in &arguments.named {
            args.named.push((name.clone(), self.evaluate(value, scope)?));
        }
        if let Some(star) = &arguments.star {
            args.positional.extend(iterate(&self.evaluate(star, scope)?, self.lookup.meter)?);
        }
        if let Some(double_star) = &arguments.double_star {
            let Value::Dict(dict) = self.evaluate(double_star, scope)? else {
                return invalid("the argument behind ** must be a mapping");
            };
            for (key, value) in dict.0.borrow().iter() {
                let Value::Str(name) = key.value() else { return invalid("keywords must be strings") };
                args.named.push((name.clone(), value.clone()));
            }
        }
        Ok(args)
    }

    /// The call of a {% call %} block: its arguments and the caller.
    pub fn call_with_caller(&self, call: &Expr, caller: Value, scope: &Rc<Scope>) -> Res<Value> {
        let Expr::Postfix(base, steps) = call else { return invalid("expected a call") };
        let Some((Postfix::Call(arguments), before)) = steps.split_last() else {
            return invalid("expected a call");
        };
        let mut value = self.evaluate(base, scope)?;
        for step in before {
            value = self.postfix(value, step, scope)?;
        }
        let mut arguments = self.arguments(arguments, scope)?;
        arguments.named.push((Text::from("caller"), caller));
        self.call(&value, arguments)
    }

    fn call(&self, callee: &Value, args: Args) -> Res<Value> {
        callee.need_defined()?;
        match callee {
            Value::Function(name) => self.call_function(name, args),
            Value::Method(bound) => call_method(&bound.0, &bound.1, args, &self.lookup),
            Value::Macro(called) => self.call_macro(called, args),
            Value::Loop(state) => self.call_loop(state, args),
            Value::Joiner(joiner) => {
                let first = !joiner.1.replace(true);
                Ok(Value::Str(if first { "".into() } else { joiner.0.clone() }))
            }
            other => invalid(format!("'{}' object is not callable", other.type_name())),
        }
    }

    fn call_function(&self, name: &'static str, args: Args) -> Res<Value> {
        match name {
            "range" => self.range(args),
            "dict" => Ok(Value::dict(dict_of(args, &self.lookup)?)),
            "namespace" => {
                let entries = dict_of(args, &self.lookup)?;
                for key in entries.keys() {
                    self.check_namespace_name(key.value().as_str().unwrap_or(""))?;
                }
                Ok(Value::Namespace(Rc::new(DictCell(RefCell::new(entries)))))
            }
            "cycler" => {
                if args.positional.is_empty() || !args.named.is_empty() {
                    return invalid("at least one item has to be provided");
                }
                let items = Cells(RefCell::new(args.positional));
                Ok(Value::Cycler(Rc::new(Cycler { items, position: Cell::new(0) })))
            }
            "joiner" => {
                let [separator] = args.bind(name, ["sep"])?;
                let separator = optional_text(separator, name, "sep")?.unwrap_or_else(|| ", ".into());
                Ok(Value::Joiner(Rc::new((separator, Cell::new(false)))))
            }
            "raise_exception" => {
                let [message] = args.bind(name, ["message"])?;
                let message = super::args::required(message, name, "message")?;
                invalid(text_of(&message, self.lookup.meter)?)
            }
            _ => {
                let [format] = args.bind(name, ["format"])?;
                Ok(Value::text(super::clock::strftime_now(&required_text(format, name, "format")?)?))
            }
        }
    }

    fn range(&self, mut args: Args) -> Res<Value> {
        if args.positional.len() == 1 {
            args.positional.insert(0, Value::Int(0));
        }
        let [start, stop, step] = args.bind("range", ["start", "stop", "step"])?;
        let bound = |value, name| Ok(optional_int(value, "range", name)?.map(|v| v.clamp(-FARTHEST, FARTHEST)));
        let (Some(start), Some(stop)) = (bound(start, "start")?, bound(stop, "stop")?) else {
            return invalid("range() takes integers");
        };
        let step = bound(step, "step")?.unwrap_or(1);
        if step == 0 {
            return invalid("range() arg 3 must not be zero");
        }
        let span = if step > 0 { stop - start } else { start - stop };
        let length = if span > 0 { (span - 1) / step.abs() + 1 } else { 0 };
        if self.dialect == Dialect::Chat && length > MAX_SANDBOX_RANGE {
            return invalid(format!("range too big: the sandbox blocks ranges larger than {MAX_SANDBOX_RANGE}"));
        }
        Ok(Value::Range(Rc::new(Range { start, step, length })))
    }
}
