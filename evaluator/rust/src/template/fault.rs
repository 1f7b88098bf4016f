//! Why a template does not compile or render.

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Invalid,  // syntax, undefined variables, wrong types, raise_exception
    OverBudget,
}

#[derive(Debug)]
pub struct Fault {
    pub kind: Kind,
    pub message: String,
    pub line: u32, // 0 until known
}

pub type Res<T> = Result<T, Fault>;

impl Fault {
    pub fn at(line: u32, message: impl Into<String>) -> Fault {
        Fault { kind: Kind::Invalid, message: message.into(), line }
    }

    pub fn describe(&self) -> String {
        if self.line > 0 {
            format!("line {}: {}", self.line, self.message)
        } else {
            self.message.clone()
        }
    }
}

pub fn invalid<T>(message: impl Into<String>) -> Res<T> {
    Err(Fault::at(0, message))
}

pub fn over_budget<T>(message: impl Into<String>) -> Res<T> {
    Err(Fault { kind: Kind::OverBudget, message: message.into(), line: 0 })
}
