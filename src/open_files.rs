//! Sockets and files that the system lets this process have, and who may use them: calls come
//! first, so that nobody silences the telephone by opening connections.

/// Open files for a call: sockets of its legs, the recording.
const FILES_PER_CALL: u64 = 10;
/// Open files for what is neither a call nor a connection: the database, listeners, prompts.
const FILES_OF_THE_BOX: u64 = 200;
/// Most connections of phones and trunks over TCP at once.
const MAX_STREAMS: u64 = 4_096;
/// Most connections to the panel at once.
const MAX_PANEL_CONNECTIONS: u64 = 2_000;
/// Fewer of either than this are of no use, whatever the system allows.
const MIN_CONNECTIONS: u64 = 64;

/// How many connections there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Of phones and trunks over TCP.
    pub streams: usize,
    /// To the panel.
    pub panel: usize,
}

/// How many open files are enough for everybody, with `calls` calls at once.
#[must_use]
pub fn enough(calls: u32) -> u64 {
    of_calls(calls) + MAX_STREAMS + MAX_PANEL_CONNECTIONS
}

/// How many open files are so few that calls may lack some.
#[must_use]
pub fn scant(calls: u32) -> u64 {
    of_calls(calls) + 2 * MIN_CONNECTIONS
}

/// What is left for connections where `allowed` files may be open and `calls` calls at once have
/// theirs.
#[must_use]
pub fn share(allowed: u64, calls: u32) -> Connections {
    let left = allowed.saturating_sub(of_calls(calls));
    let panel = (left / 2).clamp(MIN_CONNECTIONS, MAX_PANEL_CONNECTIONS);
    let streams = left.saturating_sub(panel);
    Connections {
        streams: streams.clamp(MIN_CONNECTIONS, MAX_STREAMS) as usize,
        panel: panel as usize,
    }
}

fn of_calls(calls: u32) -> u64 {
    u64::from(calls) * FILES_PER_CALL + FILES_OF_THE_BOX
}

/// Takes all the open files that the system's administrator lets this process have; usually it
/// begins with a small part of them. Returns how many that are; as many as before, where it does
/// not let go of them.
pub fn raise() -> std::io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the call writes one `rlimit` that outlives it.
    #[expect(unsafe_code, reason = "the standard library has no resource limits")]
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result != 0 {
        return Err(std::io::Error::last_os_error());
    }
    let before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the call reads one `rlimit` that outlives it, and changes no memory of ours.
    #[expect(unsafe_code, reason = "the standard library has no resource limits")]
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    Ok(match result {
        0 => limit.rlim_cur,
        _ => before,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_their_files_before_connections_do() {
        assert_eq!(share(1_024, 50).panel, 162);
        assert_eq!(share(1_024, 50).streams, 162);
        let all = share(1 << 19, 50);
        assert_eq!((all.streams, all.panel), (4_096, 2_000));
        assert_eq!(share(enough(50), 50), all);
        assert_eq!(share(0, 50).panel, 64);
        for allowed in [scant(50), 1_024, enough(50)] {
            let Connections { streams, panel } = share(allowed, 50);
            assert!(of_calls(50) + (streams + panel) as u64 <= allowed);
        }
    }

    #[test]
    fn all_that_is_allowed_is_taken() {
        let allowed = raise().unwrap();
        assert_eq!(raise().unwrap(), allowed);
        assert!(allowed >= scant(1));
    }
}
