//! Variables by name, inner scopes over outer ones.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::value::{drop_flat, Text, Value};

#[derive(Default)]
pub struct Scope {
    pub variables: RefCell<HashMap<Text, Value>>,
    pub parent: Option<Rc<Scope>>,
}

impl Scope {
    pub fn inside(parent: &Rc<Scope>) -> Rc<Scope> {
        Rc::new(Scope { variables: RefCell::default(), parent: Some(parent.clone()) })
    }

    pub fn set(&self, name: &Text, value: Value) {
        let old = self.variables.borrow_mut().insert(name.clone(), value);
        drop(old);
    }

    pub fn get(&self, name: &str) -> Option<Value> {
        let mut scope = Some(self);
        while let Some(here) = scope {
            if let Some(value) = here.variables.borrow().get(name) {
                return Some(value.clone());
            }
            scope = here.parent.as_deref();
        }
        None
    }

    /// Breaks the circles of macros that know the scope they are in.
    pub fn clear(&self) {
        let variables = std::mem::take(&mut *self.variables.borrow_mut());
        drop_flat(variables.into_values().collect());
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.clear();
    }
}
