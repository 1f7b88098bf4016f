//! Expressions, by the grammar of Jinja2's parser.

use super::ast::*;
use super::fault::Res;
use super::lexer::Token;
use super::parser::Parser;
use super::value::Text;

fn comparison(token: &Token) -> Option<Operator> {
    match token {
        Token::Operator("==") => Some(Operator::Eq),
        Token::Operator("!=") => Some(Operator::Ne),
        Token::Operator("<") => Some(Operator::Lt),
        Token::Operator("<=") => Some(Operator::Le),
        Token::Operator(">") => Some(Operator::Gt),
        Token::Operator(">=") => Some(Operator::Ge),
        _ => None,
    }
}

fn sum(token: &Token) -> Option<Operator> {
    match token {
        Token::Operator("+") => Some(Operator::Add),
        Token::Operator("-") => Some(Operator::Sub),
        _ => None,
    }
}

fn product(token: &Token) -> Option<Operator> {
    match token {
        Token::Operator("*") => Some(Operator::Mul),
        Token::Operator("/") => Some(Operator::Div),
        Token::Operator("//") => Some(Operator::FloorDiv),
        Token::Operator("%") => Some(Operator::Mod),
        _ => None,
    }
}

fn power(token: &Token) -> Option<Operator> {
    matches!(token, Token::Operator("**")).then_some(Operator::Pow)
}

type Parse = fn(&mut Parser) -> Res<Expr>;

impl Parser {
    /// `a, b` is a tuple where a whole expression stands.
    pub fn tuple_expression(&mut self) -> Res<Expr> {
        self.nested(|p| p.tuple_of(Parser::expression))
    }
    /// The same where `if` and `recursive` have another meaning.
    pub fn tuple_without_condition(&mut self) -> Res<Expr> {
        self.nested(|p| p.tuple_of(Parser::or))
    }

    fn tuple_of(&mut self, item: Parse) -> Res<Expr> {
        let first = item(self)?;
        if !self.at(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.skip(",") {
            if self.ends_tuple() {
                break;
            }
            items.push(item(self)?);
        }
        Ok(Expr::Tuple(items))
    }

    fn ends_tuple(&self) -> bool {
        matches!(self.peek(), Token::BlockEnd | Token::VariableEnd) || self.at(")") || self.at_name("recursive")
    }

    pub fn expression(&mut self) -> Res<Expr> {
        self.nested(|p| {
            let mut value = p.or()?;
            while p.skip_name("if") {
                let test = Box::new(p.or()?);
                let otherwise = if p.skip_name("else") { Some(Box::new(p.expression()?)) } else { None };
                value = Expr::Condition { test, then: Box::new(value), otherwise };
                p.nest_chain()?;
            }
            Ok(value)
        })
    }

    /// `a if b if c …` nests to the left; nobody writes two.
    fn nest_chain(&mut self) -> Res<()> {
        if self.at_name("if") {
            return self.fault("a condition needs brackets inside another");
        }
        Ok(())
    }

    fn or(&mut self) -> Res<Expr> {
        self.logic("or", Parser::and, Expr::Or)
    }
    fn and(&mut self) -> Res<Expr> {
        self.logic("and", Parser::not, Expr::And)
    }
    fn logic(&mut self, word: &str, operand: Parse, make: fn(Vec<Expr>) -> Expr) -> Res<Expr> {
        let mut operands = vec![operand(self)?];
        while self.skip_name(word) {
            operands.push(operand(self)?);
        }
        Ok(one_or(operands, make))
    }

    fn not(&mut self) -> Res<Expr> {
        if self.skip_name("not") {
            return Ok(Expr::Not(Box::new(self.nested(Parser::not)?)));
        }
        self.compare()
    }

    fn compare(&mut self) -> Res<Expr> {
        let first = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let operator = if let Some(operator) = comparison(self.peek()) {
                self.next();
                operator
            } else if self.skip_name("in") {
                Operator::In
            } else if self.at_name("not") && matches!(self.look(), Token::Name(n) if n == "in") {
                self.next();
                self.next();
                Operator::NotIn
            } else {
                break;
            };
            rest.push((operator, self.sum()?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Compare(Box::new(first), rest) })
    }

    fn sum(&mut self) -> Res<Expr> {
        self.arithmetic(sum, Parser::concat)
    }
    fn concat(&mut self) -> Res<Expr> {
        let mut operands = vec![self.product()?];
        while self.skip("~") {
            operands.push(self.product()?);
        }
        Ok(one_or(operands, Expr::Concat))
    }
    fn product(&mut self) -> Res<Expr> {
        self.arithmetic(product, Parser::power)
    }
    fn power(&mut self) -> Res<Expr> {
        self.arithmetic(power, Parser::unary)
    }
    fn arithmetic(&mut self, operator: fn(&Token) -> Option<Operator>, operand: Parse) -> Res<Expr> {
        let first = operand(self)?;
        let mut rest = Vec::new();
        while let Some(operator) = operator(self.peek()) {
            self.next();
            rest.push((operator, operand(self)?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Arithmetic(Box::new(first), rest) })
    }

    fn unary(&mut self) -> Res<Expr> {
        self.signed(true)
    }

    /// A sign binds tighter than a filter: -1|abs is (-1)|abs.
    fn signed(&mut self, with_filters: bool) -> Res<Expr> {
        let base = if self.skip("-") {
            Expr::Negative(Box::new(self.nested(|p| p.signed(false))?))
        } else if self.skip("+") {
            Expr::Positive(Box::new(self.nested(|p| p.signed(false))?))
        } else {
            self.primary()?
        };
        let mut steps = Vec::new();
        self.postfix(&mut steps)?;
        if with_filters {
            self.filters_and_tests(&mut steps)?;
        }
        Ok(if steps.is_empty() { base } else { Expr::Postfix(Box::new(base), steps) })
    }

    fn primary(&mut self) -> Res<Expr> {
        match self.peek().clone() {
            Token::Name(name) => {
                self.next();
                Ok(match name.as_str() {
                    "true" | "True" => Expr::Bool(true),
                    "false" | "False" => Expr::Bool(false),
                    "none" | "None" => Expr::None,
                    _ => {
                        self.note_name(&name);
                        Expr::Name(Text::from(name))
                    }
                })
            }
            Token::Str(_) => {
                let mut text = String::new();
                while let Token::Str(part) = self.peek() {
                    text.push_str(part);
                    self.next();
                }
                Ok(Expr::Str(Text::from(text)))
            }
            Token::Int(value) => {
                self.next();
                Ok(Expr::Int(value))
            }
            Token::Float(value) => {
                self.next();
                Ok(Expr::Float(value))
            }
            Token::Operator("(") => self.nested(Parser::parenthesized),
            Token::Operator("[") => self.nested(|p| {
                p.next();
                Ok(Expr::List(p.items("]")?))
            }),
            Token::Operator("{") => self.nested(Parser::dict),
            _ => self.fault(format!("expected an expression, got {}", self.found())),
        }
    }

    fn parenthesized(&mut self) -> Res<Expr> {
        self.next();
        if self.skip(")") {
            return Ok(Expr::Tuple(Vec::new()));
        }
        let value = self.tuple_of(Parser::expression)?;
        self.expect(")")?;
        Ok(value)
    }

    /// `a, b, c` and the closing bracket; a comma may end them.
    fn items(&mut self, close: &str) -> Res<Vec<Expr>> {
        let mut items = Vec::new();
        while !self.at(close) {
            if !items.is_empty() {
                self.expect(",")?;
                if self.at(close) {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        self.expect(close)?;
        Ok(items)
    }

    fn dict(&mut self) -> Res<Expr> {
        self.next();
        let mut entries = Vec::new();
        while !self.at("}") {
            if !entries.is_empty() {
                self.expect(",")?;
                if self.at("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
        }
        self.expect("}")?;
        Ok(Expr::Dict(entries))
    }

    fn postfix(&mut self, steps: &mut Vec<Postfix>) -> Res<()> {
        loop {
            if self.skip(".") {
                steps.push(match self.next() {
                    Token::Name(name) => Postfix::Attribute(Text::from(name)),
                    Token::Int(index) => Postfix::Item(Expr::Int(index)),
                    _ => return self.fault("expected a name or a number behind '.'"),
                });
            } else if self.skip("[") {
                steps.push(self.nested(Parser::subscript)?);
            } else if self.at("(") {
                steps.push(Postfix::Call(self.nested(Parser::arguments)?));
            } else {
                return Ok(());
            }
        }
    }

    fn subscript(&mut self) -> Res<Postfix> {
        let ends = |p: &Parser| p.at(":") || p.at("]") || p.at(",");
        let part = |p: &mut Parser| if ends(p) { Ok(None) } else { p.expression().map(Some) };
        let first = part(self)?;
        if self.skip(":") {
            let stop = part(self)?;
            let step = if self.skip(":") { part(self)? } else { None };
            self.expect("]")?;
            return Ok(Postfix::Slice(first, stop, step));
        }
        let Some(first) = first else { return self.fault("expected an index") };
        if !self.at(",") {
            self.expect("]")?;
            return Ok(Postfix::Item(first));
        }
        let mut items = vec![first];
        while self.skip(",") && !self.at("]") {
            items.push(self.expression()?);
        }
        self.expect("]")?;
        Ok(Postfix::Item(Expr::Tuple(items)))
    }

    fn filters_and_tests(&mut self, steps: &mut Vec<Postfix>) -> Res<()> {
        loop {
            if self.skip("|") {
                steps.push(self.filter()?);
            } else if self.skip_name("is") {
                steps.push(self.test()?);
            } else if self.at("(") {
                steps.push(Postfix::Call(self.nested(Parser::arguments)?));
            } else {
                return Ok(());
            }
        }
    }

    fn dotted_name(&mut self) -> Res<Text> {
        let mut name = self.expect_name()?.to_string();
        while self.skip(".") {
            name = format!("{name}.{}", self.expect_name()?);
        }
        Ok(Text::from(name))
    }

    pub fn filter(&mut self) -> Res<Postfix> {
        let name = self.dotted_name()?;
        let arguments =
            if self.at("(") { self.nested(Parser::arguments)? } else { CallArguments::default() };
        Ok(Postfix::Filter(name, arguments))
    }

    fn test(&mut self) -> Res<Postfix> {
        let negated = self.skip_name("not");
        let name = self.dotted_name()?;
        let mut arguments = CallArguments::default();
        let starts = match self.peek() {
            Token::Name(word) => !matches!(word.as_str(), "else" | "or" | "and"),
            Token::Str(_) | Token::Int(_) | Token::Float(_) => true,
            Token::Operator(operator) => matches!(*operator, "[" | "{"),
            _ => false,
        };
        if self.at("(") {
            arguments = self.nested(Parser::arguments)?;
        } else if starts {
            if self.at_name("is") {
                return self.fault("tests cannot be chained with 'is'");
            }
            let base = self.nested(Parser::primary)?;
            let mut steps = Vec::new();
            self.postfix(&mut steps)?;
            let bare = steps.is_empty();
            arguments.positional.push(if bare { base } else { Expr::Postfix(Box::new(base), steps) });
        }
        Ok(Postfix::Test { name, arguments, negated })
    }

    fn arguments(&mut self) -> Res<CallArguments> {
        self.expect("(")?;
        let mut arguments = CallArguments::default();
        let mut first = true;
        while !self.at(")") {
            if !first {
                self.expect(",")?;
                if self.at(")") {
                    break;
                }
            }
            first = false;
            self.argument(&mut arguments)?;
        }
        self.expect(")")?;
        Ok(arguments)
    }

    fn argument(&mut self, arguments: &mut CallArguments) -> Res<()> {
        let fits = if self.skip("*") {
            let fits = arguments.star.is_none() && arguments.double_star.is_none();
            arguments.star = Some(self.expression()?);
            fits
        } else if self.skip("**") {
            let fits = arguments.double_star.is_none();
            arguments.double_star = Some(self.expression()?);
            fits
        } else if matches!((self.peek(), self.look()), (Token::Name(_), Token::Operator("="))) {
            let name = self.expect_name()?;
            self.next();
            let value = self.expression()?;
            arguments.named.push((name, value));
            arguments.double_star.is_none()
        } else {
            let value = self.expression()?;
            arguments.positional.push(value);
            arguments.star.is_none() && arguments.double_star.is_none() && arguments.named.is_empty()
        };
        if fits {
            return Ok(());
        }
        self.fault("arguments are out of order")
    }
}

fn one_or(mut operands: Vec<Expr>, make: fn(Vec<Expr>) -> Expr) -> Expr {
    if operands.len() == 1 {
        return operands.swap_remove(0);
    }
    make(operands)
}
