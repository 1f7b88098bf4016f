//! Runs a parsed template: statements. evaluate.rs has expressions.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::args::Args;
use super::ast::*;
use super::fault::{invalid, Fault, Res};
use super::filters;
use super::lookup::Lookup;
use super::ops::iterate;
use super::print::text_of;
use super::scope::Scope;
use super::value::{Cells, Key, LoopState, Macro, Text, Value};
use super::Dialect;

pub struct Renderer<'a> {
    pub lookup: Lookup<'a>,
    pub dialect: Dialect,
    /// Scopes that macros hold on to; cleared at the end.
    pub kept: RefCell<Vec<Rc<Scope>>>,
}

/// What a scope that a macro keeps alive takes, about.
const SCOPE_BYTES: usize = 300;

pub enum Flow {
    Normal,
    Break,
    Continue,
}

impl Renderer<'_> {
    pub fn body(&self, body: &Body, scope: &Rc<Scope>, out: &mut String) -> Res<Flow> {
        self.lookup.meter.stack()?;
        for statement in body {
            self.lookup.meter.step(1)?;
            let flow = self.statement(statement, scope, out).map_err(|mut fault| {
                if fault.line == 0 {
                    fault.line = statement.line;
                }
                fault
            })?;
            if !matches!(flow, Flow::Normal) {
                return Ok(flow);
            }
        }
        Ok(Flow::Normal)
    }

    pub fn emit(&self, out: &mut String, text: &str) -> Res<()> {
        self.lookup.meter.output(out.len(), text.len())?;
        out.push_str(text);
        Ok(())
    }

    fn statement(&self, statement: &Statement, scope: &Rc<Scope>, out: &mut String) -> Res<Flow> {
        match &statement.kind {
            StatementKind::Text(text) => self.emit(out, text)?,
            StatementKind::Print(value) => match self.evaluate(value, scope)? {
                Value::Str(text) => self.emit(out, &text)?,
                other => self.emit(out, &text_of(&other, self.lookup.meter)?)?,
            },
            StatementKind::If { branches, otherwise } => {
                for (test, body) in branches {
                    if self.evaluate(test, scope)?.truth()? {
                        return self.body(body, scope, out);
                    }
                }
                return self.body(otherwise, scope, out);
            }
            StatementKind::For(node) => self.for_loop(node, scope, out)?,
            StatementKind::Set(target, value) => {
                let value = self.evaluate(value, scope)?;
                self.assign(target, value, scope)?;
            }
            StatementKind::SetBlock { target, filters, body } => {
                let text = self.filtered_block(filters, body, scope)?;
                self.assign(target, text, scope)?;
            }
            StatementKind::FilterBlock { filters, body } => {
                let text = self.filtered_block(filters, body, scope)?;
                self.emit(out, &text_of(&text, self.lookup.meter)?)?;
            }
            StatementKind::Macro(node) => {
                let definition = self.define(node, scope)?;
                scope.set(&node.name, definition);
            }
            StatementKind::CallBlock { caller, call } => {
                let caller = self.define(caller, scope)?;
                let text = self.call_with_caller(call, caller, scope)?;
                self.emit(out, &text_of(&text, self.lookup.meter)?)?;
            }
            StatementKind::With { targets, body } => {
                let inner = Scope::inside(scope);
                for (target, value) in targets {
                    let value = self.evaluate(value, scope)?;
                    self.assign(target, value, &inner)?;
                }
                return self.body(body, &inner, out);
            }
            StatementKind::Scoped(body) => {
                let text = self.captured(body, &Scope::inside(scope))?;
                self.emit(out, &text)?;
            }
            StatementKind::Break => return Ok(Flow::Break),
            StatementKind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Normal)
    }

    fn define(&self, node: &Arc<MacroNode>, scope: &Rc<Scope>) -> Res<Value> {
        self.kept.borrow_mut().push(scope.clone());
        self.lookup.meter.allocate(SCOPE_BYTES)?;
        Ok(Value::Macro(Rc::new(Macro { node: node.clone(), scope: scope.clone() })))
    }

    fn captured(&self, body: &Body, scope: &Rc<Scope>) -> Res<String> {
        let mut text = String::new();
        self.body(body, scope, &mut text)?;
        Ok(text)
    }

    fn filtered_block(&self, filters: &[Postfix], body: &Body, scope: &Rc<Scope>) -> Res<Value> {
        let inner = Scope::inside(scope);
        let mut value = Value::text(self.captured(body, &inner)?);
        for filter in filters {
            if let Postfix::Filter(name, arguments) = filter {
                value = filters::call(self, name, value, self.arguments(arguments, &inner)?)?;
            }
        }
        Ok(value)
    }

    pub fn assign(&self, target: &Target, value: Value, scope: &Rc<Scope>) -> Res<()> {
        match target {
            Target::Name(name) => scope.set(name, value),
            Target::Attribute(owner, name) => {
                let Some(Value::Namespace(dict)) = scope.get(owner) else {
                    return invalid("cannot assign attribute on non-namespace object");
                };
                self.check_namespace_name(name)?;
                let old = dict.0.borrow_mut().insert(Key::text(name), value);
                drop(old);
            }
            Target::Tuple(targets) => {
                let values = iterate(&value, self.lookup.meter)?;
                if values.len() != targets.len() {
                    return invalid(format!(
                        "cannot unpack {} values into {} names",
                        values.len(),
                        targets.len()
                    ));
                }
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value, scope)?;
                }
            }
        }
        Ok(())
    }

    /// transformers keeps names with an underscore off namespaces.
    pub fn check_namespace_name(&self, name: &str) -> Res<()> {
        if self.dialect == Dialect::Chat && name.starts_with('_') {
            return invalid(format!("the namespace attribute '{name}' must not begin with '_'"));
        }
        Ok(())
    }

    fn for_loop(&self, node: &Arc<For>, scope: &Rc<Scope>, out: &mut String) -> Res<()> {
        let iterable = self.evaluate(&node.iterable, scope)?;
        self.run_loop(node, iterable, 0, scope, out)
    }

    fn run_loop(
        &self,
        node: &Arc<For>,
        iterable: Value,
        depth: usize,
        scope: &Rc<Scope>,
        out: &mut String,
    ) -> Res<()> {
        let mut items = iterate(&iterable, self.lookup.meter)?;
        if let Some(condition) = &node.condition {
            items = self.filtered_items(node, items, condition, scope)?;
        }
        let state = Rc::new(LoopState {
            items: Cells(RefCell::new(items)),
            index0: Cell::new(0),
            depth,
            changed: RefCell::new(None),
            node: node.clone(),
            scope: scope.clone(),
        });
        let name = Text::from("loop");
        let count = state.items.0.borrow().len();
        // As in Jinja2, an iteration that ends in `continue` is none.
        let mut iterated = false;
        for index in 0..count {
            self.lookup.meter.step(1)?;
            state.index0.set(index);
            let inner = Scope::inside(scope);
            let item = state.items.0.borrow()[index].clone();
            self.assign(&node.target, item, &inner)?;
            inner.set(&name, Value::Loop(state.clone()));
            match self.body(&node.body, &inner, out)? {
                Flow::Normal => iterated = true,
                Flow::Continue => {}
                Flow::Break => break,
            }
        }
        if !iterated {
            self.body(&node.otherwise, &Scope::inside(scope), out)?;
        }
        Ok(())
    }

    fn filtered_items(
        &self,
        node: &For,
        items: Vec<Value>,
        condition: &Expr,
        scope: &Rc<Scope>,
    ) -> Res<Vec<Value>> {
        let mut kept = Vec::new();
        for item in items {
            let inner = Scope::inside(scope);
            self.assign(&node.target, item.clone(), &inner)?;
            if self.evaluate(condition, &inner)?.truth()? {
                kept.push(item);
            }
        }
        Ok(kept)
    }

    /// `loop(children)` of a recursive loop.
    pub fn call_loop(&self, state: &LoopState, args: Args) -> Res<Value> {
        if !state.node.recursive {
            return invalid("the loop must have the 'recursive' marker to be called recursively");
        }
        let [iterable] = args.bind("loop", ["iterable"])?;
        let iterable = super::args::required(iterable, "loop", "iterable")?;
        let mut text = String::new();
        self.run_loop(&state.node, iterable, state.depth + 1, &state.scope, &mut text)?;
        Ok(Value::text(text))
    }

    pub fn call_macro(&self, called: &Macro, args: Args) -> Res<Value> {
        self.lookup.meter.stack()?;
        let node = &called.node;
        let scope = Scope::inside(&called.scope);
        let Args { mut positional, mut named } = args;
        let extra = positional.split_off(positional.len().min(node.parameters.len()));
        let given = positional.len();
        for ((name, _), value) in node.parameters.iter().zip(positional) {
            scope.set(name, value);
        }
        for (name, default) in &node.parameters[given..] {
            let value = match named.iter().position(|(n, _)| n == name) {
                Some(at) => named.remove(at).1,
                None => match default {
                    Some(default) => self.evaluate(default, &scope)?,
                    None => super::ops::missing(
                        format!("parameter '{name}' was not provided"),
                        self.lookup.strict,
                    ),
                },
            };
            scope.set(name, value);
        }
        self.set_extras(node, extra, named, &scope)?;
        let text = self.captured(&node.body, &scope);
        let text = text.map_err(|fault| Fault { line: 0, ..fault })?;
        Ok(Value::text(text))
    }

    /// varargs, kwargs and caller, or a fault where the macro does not read what it got.
    fn set_extras(
        &self,
        node: &MacroNode,
        extra: Vec<Value>,
        mut named: Vec<(Text, Value)>,
        scope: &Rc<Scope>,
    ) -> Res<()> {
        let own_caller = node.parameters.iter().any(|(name, _)| &**name == "caller");
        if node.uses.caller && !own_caller {
            let caller = match named.iter().position(|(name, _)| &**name == "caller") {
                Some(at) => named.remove(at).1,
                None => super::ops::missing("no caller defined".into(), self.lookup.strict),
            };
            scope.set(&Text::from("caller"), caller);
        }
        if node.uses.kwargs {
            let entries = named.drain(..).map(|(name, value)| (Key::text(&name), value));
            scope.set(&Text::from("kwargs"), Value::dict(entries.collect()));
        } else if let Some((name, _)) = named.first() {
            return invalid(format!("macro '{}' takes no keyword argument '{name}'", node.name));
        }
        if node.uses.varargs {
            scope.set(&Text::from("varargs"), Value::tuple(extra));
        } else if !extra.is_empty() {
            let most = node.parameters.len();
            return invalid(format!("macro '{}' takes not more than {most} arguments", node.name));
        }
        Ok(())
    }
}
