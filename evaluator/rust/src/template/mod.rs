//! Jinja templates as Python's Jinja2 renders them, within a budget.
//!
//! Written for this because the engines there are do not do it: minijinja prints and compares like
//! Rust in places (`~`, `%`, repr, chained comparisons), has no {% generation %}, and cannot bound the
//! memory of `x ~ x`; llama.cpp's engine has no bounds at all and departs from Jinja2 on purpose
//! where undefined and None are concatenated.
//!
//! Different from Jinja2, always as an error or for nothing but HTML: template inheritance and imports,
//! the filters pprint, wordwrap, urlize, xmlattr, striptags, filesizeformat and random, whole numbers
//! beyond 128 bits, names with two underscores; no text is marked safe (`safe` and `e` give plain text).

mod args;
mod ast;
mod clock;
mod evaluate;
mod expressions;
mod fault;
mod ffi;
mod filters;
mod format;
mod json;
mod lexer;
mod literal;
mod lookup;
mod meter;
mod methods;
mod ops;
mod parser;
mod predicates;
mod print;
mod render;
mod scope;
mod string_methods;
mod strings;
mod text_filters;
mod value;

use std::cell::RefCell;
use std::rc::Rc;

use fault::{invalid, Res};
use lookup::Lookup;
use meter::{Budget, Meter};
use render::Renderer;
use scope::Scope;

#[derive(Clone, Copy, PartialEq)]
pub enum Dialect {
    Task, // lm-evaluation-harness
    Chat, // transformers
}

/// Parsed once, rendered often; any number of threads at a time.
pub struct Template {
    body: ast::Body,
    dialect: Dialect,
}

const MAX_SOURCE_BYTES: usize = 4 << 20;

impl Template {
    pub fn compile(source: &str, dialect: Dialect) -> Res<Template> {
        if source.len() > MAX_SOURCE_BYTES {
            return fault::over_budget(format!("the template is longer than {MAX_SOURCE_BYTES} bytes"));
        }
        let chat = dialect == Dialect::Chat;
        let settings = lexer::Settings { trim_blocks: chat, keep_trailing_newline: !chat };
        let body = parser::parse(lexer::tokenize(source, &settings)?, chat)?;
        Ok(Template { body, dialect })
    }

    pub fn render(&self, variables: &serde_json::Value, budget: Budget) -> Res<String> {
        let serde_json::Value::Object(variables) = variables else {
            return invalid("the variables must be an object");
        };
        let meter = Meter::new(budget);
        let chat = self.dialect == Dialect::Chat;
        let lookup = Lookup { meter: &meter, strict: !chat, immutable: chat };
        let renderer = Renderer { lookup, dialect: self.dialect, kept: RefCell::default() };
        // Templates set their own variables over those given.
        let given = Rc::new(Scope::default());
        for (name, value) in variables {
            given.set(&name.as_str().into(), json::from_json(value));
        }
        let mut out = String::new();
        let result = renderer.body(&self.body, &Scope::inside(&given), &mut out);
        renderer.kept.borrow().iter().for_each(|scope| scope.clear());
        result.map(|_| out)
    }
}
