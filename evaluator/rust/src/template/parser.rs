//! Statements, by the grammar of Jinja2's parser. expressions.rs has the rest.

use std::sync::Arc;

use super::ast::*;
use super::fault::{Fault, Res};
use super::lexer::Token;
use super::value::Text;

/// Blocks and brackets inside each other; more than any template has, little enough for the stack.
const MAX_NESTING: u32 = 120;

pub struct Parser {
    tokens: Vec<(Token, u32)>,
    position: usize,
    nesting: u32,
    loop_controls: bool,
    loops: u32,
    macros: Vec<Extras>, // being parsed
}

pub fn parse(tokens: Vec<(Token, u32)>, loop_controls: bool) -> Res<Body> {
    let mut parser =
        Parser { tokens, position: 0, nesting: 0, loop_controls, loops: 0, macros: Vec::new() };
    parser.body(&[])
}

impl Parser {
    pub fn peek(&self) -> &Token {
        &self.tokens[self.position].0
    }
    pub fn look(&self) -> &Token {
        &self.tokens[(self.position + 1).min(self.tokens.len() - 1)].0
    }
    pub fn line(&self) -> u32 {
        self.tokens[self.position].1
    }
    pub fn next(&mut self) -> Token {
        let token = self.tokens[self.position].0.clone();
        if self.position + 1 < self.tokens.len() {
            self.position += 1;
        }
        token
    }
    pub fn fault<T>(&self, message: impl Into<String>) -> Res<T> {
        Err(Fault::at(self.line(), message))
    }
    pub fn at_name(&self, name: &str) -> bool {
        matches!(self.peek(), Token::Name(n) if n == name)
    }
    pub fn at(&self, operator: &str) -> bool {
        matches!(self.peek(), Token::Operator(o) if *o == operator)
    }
    pub fn skip(&mut self, operator: &str) -> bool {
        let found = self.at(operator);
        self.position += found as usize;
        found
    }
    pub fn skip_name(&mut self, name: &str) -> bool {
        let found = self.at_name(name);
        self.position += found as usize;
        found
    }
    pub fn expect(&mut self, operator: &str) -> Res<()> {
        if self.skip(operator) {
            return Ok(());
        }
        self.fault(format!("expected '{operator}', got {}", self.found()))
    }
    pub fn expect_name(&mut self) -> Res<Text> {
        match self.peek() {
            Token::Name(name) => {
                let name = Text::from(name.as_str());
                self.position += 1;
                Ok(name)
            }
            _ => self.fault(format!("expected a name, got {}", self.found())),
        }
    }
    pub fn found(&self) -> String {
        match self.peek() {
            Token::Data(_) => "text".into(),
            Token::BlockBegin => "'{%'".into(),
            Token::BlockEnd => "'%}'".into(),
            Token::VariableBegin => "'{{'".into(),
            Token::VariableEnd => "'}}'".into(),
            Token::Name(name) => format!("'{name}'"),
            Token::Str(_) => "a string".into(),
            Token::Int(_) | Token::Float(_) => "a number".into(),
            Token::Operator(operator) => format!("'{operator}'"),
            Token::End => "the end of the template".into(),
        }
    }

    pub fn nested<T>(&mut self, parse: impl FnOnce(&mut Parser) -> Res<T>) -> Res<T> {
        if self.nesting >= MAX_NESTING {
            return self.fault(format!("nested more than {MAX_NESTING} deep"));
        }
        self.nesting += 1;
        let result = parse(self);
        self.nesting -= 1;
        result
    }

    /// A name that is read: macros notice whether they use what every macro may.
    pub fn note_name(&mut self, name: &str) {
        for extras in &mut self.macros {
            match name {
                "varargs" => extras.varargs = true,
                "kwargs" => extras.kwargs = true,
                "caller" => extras.caller = true,
                _ => {}
            }
        }
    }

    fn block_end(&mut self) -> Res<()> {
        if *self.peek() != Token::BlockEnd {
            return self.fault(format!("expected '%}}', got {}", self.found()));
        }
        self.next();
        Ok(())
    }

    /// Up to a block whose name is one of `ends`, which is left to be read; without `ends`, all.
    fn body(&mut self, ends: &[&str]) -> Res<Body> {
        self.nested(|p| p.statements(ends))
    }

    fn statements(&mut self, ends: &[&str]) -> Res<Body> {
        let mut body = Body::new();
        loop {
            let line = self.line();
            match self.next() {
                Token::Data(text) => body.push(Statement { line, kind: StatementKind::Text(text) }),
                Token::VariableBegin => {
                    let kind = StatementKind::Print(self.tuple_expression()?);
                    if *self.peek() != Token::VariableEnd {
                        return self.fault(format!("expected '}}}}', got {}", self.found()));
                    }
                    self.next();
                    body.push(Statement { line, kind });
                }
                Token::BlockBegin => {
                    if ends.iter().any(|end| self.at_name(end)) {
                        return Ok(body);
                    }
                    let kind = self.statement()?;
                    body.push(Statement { line, kind });
                }
                Token::End if ends.is_empty() => return Ok(body),
                Token::End => {
                    return self.fault(format!("the template ends where {{% {} %}} is missing", ends[ends.len() - 1]))
                }
                _ => return self.fault(format!("unexpected {}", self.found())),
            }
        }
    }

    /// A body with its closing block.
    fn closed_body(&mut self, end: &str) -> Res<Body> {
        let body = self.body(&[end])?;
        self.next();
        self.block_end()?;
        Ok(body)
    }

    fn statement(&mut self) -> Res<StatementKind> {
        let name = self.expect_name()?;
        match &*name {
            "if" => self.if_block(),
            "for" => self.for_block(),
            "set" => self.set_block(),
            "macro" => {
                let name = self.expect_name()?;
                Ok(StatementKind::Macro(Arc::new(self.macro_node(name, "endmacro")?)))
            }
            "call" => self.call_block(),
            "filter" => {
                let filters = self.filters_of_block()?;
                self.block_end()?;
                Ok(StatementKind::FilterBlock { filters, body: self.outside_loop("endfilter")? })
            }
            "with" => self.with_block(),
            "generation" if self.loop_controls => {
                self.block_end()?;
                Ok(StatementKind::Scoped(self.outside_loop("endgeneration")?))
            }
            "break" | "continue" if self.loop_controls => {
                if self.loops == 0 {
                    return self.fault(format!("'{name}' outside a loop"));
                }
                self.block_end()?;
                Ok(if &*name == "break" { StatementKind::Break } else { StatementKind::Continue })
            }
            "include" | "import" | "from" | "extends" | "block" | "autoescape" => {
                self.fault(format!("'{name}' is not supported: a template stands alone"))
            }
            _ => self.fault(format!("unknown tag '{name}'")),
        }
    }

    /// break and continue do not reach through macros and captured blocks.
    fn outside_loop(&mut self, end: &str) -> Res<Body> {
        let loops = std::mem::take(&mut self.loops);
        let body = self.closed_body(end);
        self.loops = loops;
        body
    }

    fn if_block(&mut self) -> Res<StatementKind> {
        let mut branches = Vec::new();
        let mut otherwise = Body::new();
        loop {
            let test = self.tuple_without_condition()?;
            self.block_end()?;
            branches.push((test, self.body(&["elif", "else", "endif"])?));
            if self.skip_name("elif") {
                continue;
            }
            if self.skip_name("else") {
                self.block_end()?;
                otherwise = self.body(&["endif"])?;
            }
            self.next();
            self.block_end()?;
            return Ok(StatementKind::If { branches, otherwise });
        }
    }

    fn for_block(&mut self) -> Res<StatementKind> {
        let target = self.target(false)?;
        if !self.skip_name("in") {
            return self.fault(format!("expected 'in', got {}", self.found()));
        }
        let iterable = self.tuple_without_condition()?;
        let condition = if self.skip_name("if") { Some(self.expression()?) } else { None };
        let recursive = self.skip_name("recursive");
        self.block_end()?;
        self.loops += 1;
        let body = self.body(&["endfor", "else"]);
        self.loops -= 1;
        let body = body?;
        let mut otherwise = Body::new();
        if self.skip_name("else") {
            self.block_end()?;
            otherwise = self.body(&["endfor"])?;
        }
        self.next();
        self.block_end()?;
        let node = For { target, iterable, condition, recursive, body, otherwise };
        Ok(StatementKind::For(Arc::new(node)))
    }

    fn set_block(&mut self) -> Res<StatementKind> {
        let target = self.target(true)?;
        if self.skip("=") {
            let value = self.tuple_expression()?;
            self.block_end()?;
            return Ok(StatementKind::Set(target, value));
        }
        let filters = if self.skip("|") { self.filters_of_block()? } else { Vec::new() };
        self.block_end()?;
        let body = self.outside_loop("endset")?;
        Ok(StatementKind::SetBlock { target, filters, body })
    }

    fn with_block(&mut self) -> Res<StatementKind> {
        let mut targets = Vec::new();
        while *self.peek() != Token::BlockEnd {
            if !targets.is_empty() {
                self.expect(",")?;
            }
            let target = self.single_target(false)?;
            self.expect("=")?;
            targets.push((target, self.expression()?));
        }
        self.block_end()?;
        Ok(StatementKind::With { targets, body: self.closed_body("endwith")? })
    }

    fn call_block(&mut self) -> Res<StatementKind> {
        let parameters = if self.at("(") { self.parameters()? } else { Vec::new() };
        let call = self.expression()?;
        let is_call = matches!(&call, Expr::Postfix(_, steps) if matches!(steps.last(), Some(Postfix::Call(_))));
        if !is_call {
            return self.fault("expected a call");
        }
        let caller = Arc::new(self.macro_body(Text::from("caller"), parameters, "endcall")?);
        Ok(StatementKind::CallBlock { caller, call })
    }

    fn macro_node(&mut self, name: Text, end: &str) -> Res<MacroNode> {
        let parameters = self.parameters()?;
        self.macro_body(name, parameters, end)
    }

    fn macro_body(&mut self, name: Text, parameters: Vec<(Text, Option<Expr>)>, end: &str) -> Res<MacroNode> {
        self.block_end()?;
        self.macros.push(Extras::default());
        let body = self.outside_loop(end);
        let uses = self.macros.pop().unwrap_or_default();
        Ok(MacroNode { name, parameters, body: body?, uses })
    }

    fn parameters(&mut self) -> Res<Vec<(Text, Option<Expr>)>> {
        self.expect("(")?;
        let mut parameters: Vec<(Text, Option<Expr>)> = Vec::new();
        while !self.at(")") {
            if !parameters.is_empty() {
                self.expect(",")?;
            }
            let name = self.expect_name()?;
            let default = if self.skip("=") { Some(self.expression()?) } else { None };
            if default.is_none() && parameters.last().is_some_and(|(_, d)| d.is_some()) {
                return self.fault("a parameter without a default follows one with a default");
            }
            parameters.push((name, default));
        }
        self.expect(")")?;
        Ok(parameters)
    }

    /// `f1|f2(x)` of {% filter %} and {% set x | f %}.
    fn filters_of_block(&mut self) -> Res<Vec<Postfix>> {
        let mut filters = vec![self.filter()?];
        while self.skip("|") {
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    fn target(&mut self, with_attribute: bool) -> Res<Target> {
        let first = self.single_target(with_attribute)?;
        if !self.at(",") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.skip(",") {
            if !matches!(self.peek(), Token::Name(_)) && !self.at("(") || self.at_name("in") {
                break;
            }
            all.push(self.single_target(with_attribute)?);
        }
        Ok(Target::Tuple(all))
    }

    fn single_target(&mut self, with_attribute: bool) -> Res<Target> {
        if self.skip("(") {
            let target = self.nested(|p| p.target(with_attribute))?;
            self.expect(")")?;
            return Ok(target);
        }
        let name = self.expect_name()?;
        if matches!(&*name, "true" | "false" | "none" | "True" | "False" | "None") {
            return self.fault(format!("'{name}' cannot be set"));
        }
        if with_attribute && self.skip(".") {
            return Ok(Target::Attribute(name, self.expect_name()?));
        }
        Ok(Target::Name(name))
    }
}
