//! What differs between the platforms: which store, how a share is entered so
//! that it stays on the device, and what the store's reasons mean.

#[cfg(target_os = "android")]
#[path = "platform/android.rs"]
mod this;
#[cfg(any(target_os = "macos", target_os = "ios"))]
#[path = "platform/apple.rs"]
mod this;
#[cfg(target_os = "linux")]
#[path = "platform/linux.rs"]
mod this;
#[cfg(target_os = "windows")]
#[path = "platform/windows.rs"]
mod this;
#[cfg(not(any(
    target_os = "android",
    target_os = "ios",
    target_os = "linux",
    target_os = "macos",
    target_os = "windows"
)))]
#[path = "platform/none.rs"]
mod this;

pub(crate) use this::{ENTERED_WITH, HOW_TO_GET_ONE, open, reason};
