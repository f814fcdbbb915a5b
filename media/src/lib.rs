//! (written next)

pub mod codec;
pub mod g711;
pub mod plc;
pub mod prompt;
pub mod resample;
pub mod dtmf;
pub mod level;
pub mod music;
pub mod noise;
pub mod tone;
pub mod wav;
pub mod control;
