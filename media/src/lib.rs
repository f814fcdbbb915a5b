//! (written next)

pub mod codec;
pub mod g711;
pub mod plc;
pub mod resample;
