//! (written next)

pub mod codec;
pub mod g711;
pub mod plc;
pub mod resample;
pub mod dtmf;
pub mod level;
pub mod noise;
pub mod tone;
pub mod wav;
