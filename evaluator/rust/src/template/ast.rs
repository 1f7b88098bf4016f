//! The parsed template. Chains (`a ~ b ~ c`, `x.y|f`) are flat, so that only brackets, blocks and
//! unary operators nest.

use std::sync::Arc;

use super::value::Text;

#[derive(Debug)]
pub enum Expr {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Text),
    Name(Text),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Concat(Vec<Expr>),
    Compare(Box<Expr>, Vec<(Operator, Expr)>),
    Arithmetic(Box<Expr>, Vec<(Operator, Expr)>), // from left to right
    Postfix(Box<Expr>, Vec<Postfix>),
    Condition { test: Box<Expr>, then: Box<Expr>, otherwise: Option<Box<Expr>> },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

#[derive(Debug)]
pub enum Postfix {
    Attribute(Text),
    Item(Expr),
    Slice(Option<Expr>, Option<Expr>, Option<Expr>),
    Call(CallArguments),
    Filter(Text, CallArguments),
    Test { name: Text, arguments: CallArguments, negated: bool },
}

#[derive(Debug, Default)]
pub struct CallArguments {
    pub positional: Vec<Expr>,
    pub named: Vec<(Text, Expr)>,
    pub star: Option<Expr>,
    pub double_star: Option<Expr>,
}

#[derive(Debug)]
pub enum Target {
    Name(Text),
    Attribute(Text, Text), // of a namespace
    Tuple(Vec<Target>),
}

#[derive(Debug)]
pub struct Statement {
    pub line: u32,
    pub kind: StatementKind,
}
pub type Body = Vec<Statement>;

#[derive(Debug)]
pub enum StatementKind {
    Text(String),
    Print(Expr),
    If { branches: Vec<(Expr, Body)>, otherwise: Body },
    For(Arc<For>),
    Set(Target, Expr),
    SetBlock { target: Target, filters: Vec<Postfix>, body: Body },
    Macro(Arc<MacroNode>),
    CallBlock { caller: Arc<MacroNode>, call: Expr },
    FilterBlock { filters: Vec<Postfix>, body: Body },
    With { targets: Vec<(Target, Expr)>, body: Body },
    Scoped(Body), // {% generation %}
    Break,
    Continue,
}

#[derive(Debug)]
pub struct For {
    pub target: Target,
    pub iterable: Expr,
    pub condition: Option<Expr>,
    pub recursive: bool,
    pub body: Body,
    pub otherwise: Body,
}

#[derive(Debug)]
pub struct MacroNode {
    pub name: Text,
    pub parameters: Vec<(Text, Option<Expr>)>,
    pub body: Body,
    pub uses: Extras,
}

/// Which of the names that every macro may read its body does read.
#[derive(Debug, Default)]
pub struct Extras {
    pub varargs: bool,
    pub kwargs: bool,
    pub caller: bool,
}
