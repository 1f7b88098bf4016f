//! The Rust libraries that the evaluator uses, behind one C interface; crucible_native.h documents it.
//! One crate, because two Rust static libraries in one program would clash.

mod ffi;
mod language;
mod parquet;
mod template;
mod tokenizers;
