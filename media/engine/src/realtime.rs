//! Real-time scheduling of the media thread: on a busy machine the default
//! scheduler lets it wait for 10 ms and more, which is heard.

use std::io;

/// A low priority among real-time threads; all of them come before all others.
const PRIORITY: libc::c_int = 5;

/// Puts the calling thread under `SCHED_FIFO`.
///
/// # Errors
/// What the system says, usually that the process lacks `CAP_SYS_NICE`.
#[allow(unsafe_code)]
pub(crate) fn enter() -> io::Result<()> {
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    let parameters = libc::sched_param {
        sched_priority: PRIORITY,
    };
    // SAFETY: 0 names the calling thread, and the pointer is to a live
    // sched_param that the call only reads.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
