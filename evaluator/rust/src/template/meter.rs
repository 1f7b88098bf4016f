//! What one rendering may use. Memory counts what is ever made, not what is alive: a bound on both.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::fault::{over_budget, Res};

/// `crucible_template_budget` of the C header.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Budget {
    pub steps: u64,
    pub output_bytes: u64,
    pub memory_bytes: u64,
}

/// Rust frames of nested macros, loops and expressions; well below the stack of any thread.
const STACK_BYTES: usize = 1 << 20;

/// Regular expressions count no steps: the time of a rendering is looked at between searches.
const SEARCH_TIME: Duration = Duration::from_secs(1);

pub struct Meter {
    started: Instant,
    budget: Budget,
    steps: Cell<u64>,
    memory: Cell<u64>,
    stack_base: usize,
}

#[inline(never)]
fn stack_position() -> usize {
    let marker = 0u8;
    std::hint::black_box(&marker) as *const u8 as usize
}

impl Meter {
    pub fn new(budget: Budget) -> Meter {
        let memory = Cell::new(budget.memory_bytes);
        let (started, stack_base) = (Instant::now(), stack_position());
        Meter { started, budget, steps: Cell::new(budget.steps), memory, stack_base }
    }

    pub fn step(&self, count: usize) -> Res<()> {
        match self.steps.get().checked_sub(count as u64) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => over_budget(format!("took more than {} steps", self.budget.steps)),
        }
    }

    /// Before what may take long in one step.
    pub fn watch(&self) -> Res<()> {
        if self.started.elapsed() > SEARCH_TIME {
            return over_budget(format!("took more than {} s", SEARCH_TIME.as_secs()));
        }
        Ok(())
    }

    /// Before anything of `bytes` is made.
    pub fn allocate(&self, bytes: usize) -> Res<()> {
        match self.memory.get().checked_sub(bytes as u64) {
            Some(left) => {
                self.memory.set(left);
                Ok(())
            }
            None => over_budget(format!("made more than {} bytes", self.budget.memory_bytes)),
        }
    }

    pub fn output(&self, have: usize, more: usize) -> Res<()> {
        if (have + more) as u64 > self.budget.output_bytes {
            return over_budget(format!("wrote more than {} bytes", self.budget.output_bytes));
        }
        self.allocate(more)
    }

    pub fn stack(&self) -> Res<()> {
        if self.stack_base.abs_diff(stack_position()) > STACK_BYTES {
            return over_budget("macros, loops or values are nested too deeply");
        }
        Ok(())
    }
}
