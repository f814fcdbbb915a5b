//! Who somebody is: the keys of a person's devices, and what they say about
//! each other.

mod reader;

pub use reader::Reader;
