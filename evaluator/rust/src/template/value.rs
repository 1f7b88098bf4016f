//! Values as templates see them: Python's.

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use indexmap::IndexMap;

use super::ast::{For, MacroNode};
use super::fault::{invalid, Res};
use super::meter::Meter;
use super::scope::Scope;

pub type Text = Arc<str>;
pub type Dict = IndexMap<Key, Value>;

#[derive(Clone)]
pub enum Value {
    Undefined(Rc<Missing>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Text),
    List(Rc<Cells>),
    Tuple(Rc<Cells>),
    Dict(Rc<DictCell>),
    Range(Rc<Range>),
    View(Rc<View>),
    Iterator(Rc<Cells>), // a generator: what is left of it
    Namespace(Rc<DictCell>),
    Loop(Rc<LoopState>),
    Function(&'static str),
    Method(Rc<(Value, Text)>),
    Macro(Rc<Macro>),
    Cycler(Rc<Cycler>),
    Joiner(Rc<(Text, Cell<bool>)>),
}

/// What is undefined, and whether touching it is an error (StrictUndefined).
pub struct Missing {
    pub message: String,
    pub strict: bool,
}

/// The items of a list, tuple or iterator.
#[derive(Default)]
pub struct Cells(pub RefCell<Vec<Value>>);

#[derive(Default)]
pub struct DictCell(pub RefCell<Dict>);

pub struct Range {
    pub start: i128,
    pub step: i128,
    pub length: i128,
}

/// dict.items() and its like.
pub struct View {
    pub kind: &'static str,
    pub items: Cells,
}

pub struct LoopState {
    pub items: Cells,
    pub index0: Cell<usize>,
    pub depth: usize,
    pub changed: RefCell<Option<Value>>,
    pub node: Arc<For>,
    pub scope: Rc<Scope>, // where a recursive call runs
}

pub struct Macro {
    pub node: Arc<MacroNode>,
    pub scope: Rc<Scope>,
}

pub struct Cycler {
    pub items: Cells,
    pub position: Cell<usize>,
}

impl Value {
    pub fn text(text: impl AsRef<str>) -> Value {
        Value::Str(Arc::from(text.as_ref()))
    }
    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Rc::new(Cells(RefCell::new(items))))
    }
    pub fn tuple(items: Vec<Value>) -> Value {
        Value::Tuple(Rc::new(Cells(RefCell::new(items))))
    }
    pub fn iterator(items: Vec<Value>) -> Value {
        Value::Iterator(Rc::new(Cells(RefCell::new(items))))
    }
    pub fn dict(entries: Dict) -> Value {
        Value::Dict(Rc::new(DictCell(RefCell::new(entries))))
    }
    pub fn view(kind: &'static str, items: Vec<Value>) -> Value {
        Value::View(Rc::new(View { kind, items: Cells(RefCell::new(items)) }))
    }

    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Undefined(_) => "Undefined",
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "str",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Dict(_) => "dict",
            Value::Range(_) => "range",
            Value::View(view) => view.kind,
            Value::Iterator(_) => "generator",
            Value::Namespace(_) => "Namespace",
            Value::Loop(_) => "LoopContext",
            Value::Function(_) => "function",
            Value::Method(_) => "builtin_function_or_method",
            Value::Macro(_) => "Macro",
            Value::Cycler(_) => "Cycler",
            Value::Joiner(_) => "Joiner",
        }
    }

    pub fn is_undefined(&self) -> bool {
        matches!(self, Value::Undefined(_))
    }

    /// StrictUndefined allows nothing but tests for being defined.
    pub fn use_value(&self) -> Res<()> {
        match self {
            Value::Undefined(missing) if missing.strict => invalid(missing.message.clone()),
            _ => Ok(()),
        }
    }

    /// Of anything that neither kind of undefined can do.
    pub fn need_defined(&self) -> Res<()> {
        match self {
            Value::Undefined(missing) => invalid(missing.message.clone()),
            _ => Ok(()),
        }
    }

    pub fn truth(&self) -> Res<bool> {
        self.use_value()?;
        Ok(match self {
            Value::Undefined(_) | Value::None => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::List(cells) | Value::Tuple(cells) => !cells.0.borrow().is_empty(),
            Value::Dict(dict) => !dict.0.borrow().is_empty(),
            Value::Range(range) => range.length > 0,
            Value::View(view) => !view.items.0.borrow().is_empty(),
            _ => true,
        })
    }

    /// A number for arithmetic; True is 1.
    pub fn as_number(&self) -> Option<Number> {
        match self {
            Value::Bool(value) => Some(Number::Int(*value as i128)),
            Value::Int(value) => Some(Number::Int(*value)),
            Value::Float(value) => Some(Number::Float(*value)),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i128> {
        match self.as_number() {
            Some(Number::Int(value)) => Some(value),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    fn is_compound(&self) -> bool {
        !matches!(
            self,
            Value::Undefined(_)
                | Value::None
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::Str(_)
                | Value::Function(_)
                | Value::Range(_)
                | Value::Joiner(_)
        )
    }
}

#[derive(Clone, Copy)]
pub enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    pub fn float(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Float(value) => value,
        }
    }
}

/// Python's ==. Deep values are compared to a depth that no data reaches.
pub fn equal(a: &Value, b: &Value, meter: &Meter) -> Res<bool> {
    equal_to_depth(a, b, 100, Some(meter))
}

fn equal_to_depth(a: &Value, b: &Value, depth: u32, meter: Option<&Meter>) -> Res<bool> {
    a.use_value()?;
    b.use_value()?;
    if let Some(meter) = meter {
        meter.step(1 + a.as_str().map_or(0, str::len) / 64)?;
    }
    if depth == 0 {
        return invalid("values are nested too deeply to be compared");
    }
    if let (Some(x), Some(y)) = (a.as_number(), b.as_number()) {
        return Ok(match (x, y) {
            (Number::Int(x), Number::Int(y)) => x == y,
            (x, y) => x.float() == y.float(),
        });
    }
    match (a, b) {
        (Value::Undefined(_), Value::Undefined(_)) | (Value::None, Value::None) => Ok(true),
        (Value::Str(x), Value::Str(y)) => Ok(x == y),
        (Value::List(x), Value::List(y)) | (Value::Tuple(x), Value::Tuple(y)) => {
            let (x, y) = (x.0.borrow(), y.0.borrow());
            if x.len() != y.len() {
                return Ok(false);
            }
            for (a, b) in x.iter().zip(y.iter()) {
                if !equal_to_depth(a, b, depth - 1, meter)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Dict(x), Value::Dict(y)) => {
            let (x, y) = (x.0.borrow(), y.0.borrow());
            if x.len() != y.len() {
                return Ok(false);
            }
            for (key, a) in x.iter() {
                match y.get(key) {
                    Some(b) if equal_to_depth(a, b, depth - 1, meter)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Value::Range(x), Value::Range(y)) => {
            let same_start = x.length == 0 || x.start == y.start;
            Ok(x.length == y.length && same_start && (x.length < 2 || x.step == y.step))
        }
        (Value::Function(x), Value::Function(y)) => Ok(x == y),
        (Value::Namespace(x), Value::Namespace(y)) => Ok(Rc::ptr_eq(x, y)),
        (Value::Macro(x), Value::Macro(y)) => Ok(Rc::ptr_eq(x, y)),
        _ => Ok(false),
    }
}

/// Python's `is`, for what can be told.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::None, Value::None) => true,
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Int(x), Value::Int(y)) => x == y,
        (Value::Str(x), Value::Str(y)) => x == y,
        (Value::List(x), Value::List(y)) | (Value::Tuple(x), Value::Tuple(y)) => Rc::ptr_eq(x, y),
        (Value::Dict(x), Value::Dict(y)) | (Value::Namespace(x), Value::Namespace(y)) => {
            Rc::ptr_eq(x, y)
        }
        _ => false,
    }
}

/// A key of a dict: equal and hashed as Python does it (1, 1.0 and True are one key).
#[derive(Clone)]
pub struct Key(Value);

/// Values in a tuple that is a key: every look-up goes through all of them.
const MAX_KEY_PARTS: usize = 1000;

impl Key {
    /// Charges what hashing costs.
    pub fn new(value: Value, meter: &Meter) -> Res<Key> {
        let key = Key::unmetered(value)?;
        meter.step(1 + key.0.as_str().map_or(0, str::len) / 64)?;
        Ok(key)
    }
    /// Of data that is read once.
    pub fn unmetered(value: Value) -> Res<Key> {
        fn hashable(value: &Value, left: &mut usize) -> bool {
            *left = left.saturating_sub(1);
            match value {
                Value::List(_) | Value::Dict(_) => false,
                Value::Tuple(cells) => cells.0.borrow().iter().all(|v| *left > 0 && hashable(v, left)),
                _ => true,
            }
        }
        value.use_value()?;
        if !hashable(&value, &mut MAX_KEY_PARTS.clone()) {
            return invalid(format!("unhashable type: '{}'", value.type_name()));
        }
        Ok(Key(value))
    }
    pub fn text(text: &str) -> Key {
        Key(Value::text(text))
    }
    pub fn value(&self) -> &Value {
        &self.0
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        equal_to_depth(&self.0, &other.0, 100, None).unwrap_or(false)
    }
}
impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match (&self.0, self.0.as_number()) {
            (_, Some(Number::Int(value))) => (value as f64).to_bits().hash(state),
            (_, Some(Number::Float(value))) => (value + 0.0).to_bits().hash(state),
            (Value::Str(text), _) => text.hash(state),
            (Value::Tuple(cells), _) => cells.0.borrow().iter().for_each(|v| Key(v.clone()).hash(state)),
            _ => 0.hash(state),
        }
    }
}

// Values nest as deeply as a loop can make them, so they are dropped one by one, not recursively.
thread_local! {
    static DROPPED: RefCell<Option<Vec<Value>>> = const { RefCell::new(None) };
}

pub fn drop_flat(mut values: Vec<Value>) {
    values.retain(Value::is_compound);
    if values.is_empty() {
        return;
    }
    let nested = DROPPED.with(|dropped| match dropped.borrow_mut().as_mut() {
        Some(waiting) => {
            waiting.append(&mut values);
            true
        }
        None => false,
    });
    if nested {
        return;
    }
    DROPPED.with(|dropped| *dropped.borrow_mut() = Some(values));
    while let Some(value) = DROPPED.with(|d| d.borrow_mut().as_mut().and_then(Vec::pop)) {
        drop(value);
    }
    DROPPED.with(|dropped| *dropped.borrow_mut() = None);
}

impl Drop for Cells {
    fn drop(&mut self) {
        drop_flat(std::mem::take(self.0.get_mut()));
    }
}

impl Drop for DictCell {
    fn drop(&mut self) {
        drop_flat(std::mem::take(self.0.get_mut()).into_values().collect());
    }
}
