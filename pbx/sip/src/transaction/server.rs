//! INVITE and non-INVITE server transactions (RFC 3261 17.2, RFC 6026 7.1).

use std::time::{Duration, Instant};

use super::clock::{Clock, Due};
use crate::timer::Timers;

/// Which of the two server machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// RFC 3261 17.2.1, RFC 6026 7.1.
    Invite,
    /// RFC 3261 17.2.2.
    NonInvite,
}

/// What the owner has to do after an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerAction {
    /// Nothing.
    Nothing,
    /// Send the last response again, if there was one.
    Repeat,
    /// The machine has ended.
    Terminated,
    /// The machine has ended because no ACK came for a 300-699 (timer H).
    NeverAcknowledged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// "Proceeding" for INVITE, "Trying" and "Proceeding" otherwise.
    Open,
    /// RFC 6026: we sent a 2xx, which the transaction user repeats.
    Accepted,
    Completed,
    Confirmed,
    Terminated,
}

/// One server transaction.
#[derive(Clone, Debug)]
pub struct ServerTransaction {
    kind: ServerKind,
    reliable: bool,
    state: State,
    clock: Clock,
}

impl ServerTransaction {
    /// A request has just arrived.
    #[must_use]
    pub fn new(kind: ServerKind, reliable: bool) -> Self {
        Self {
            kind,
            reliable,
            state: State::Open,
            clock: Clock::default(),
        }
    }

    /// When [`Self::handle_timeout`] wants to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.clock.next()
    }

    /// Whether the machine is at its end and may be dropped.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    /// Whether no final response has been sent yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Which machine this is.
    #[must_use]
    pub fn kind(&self) -> ServerKind {
        self.kind
    }

    /// The transaction user is about to send a response with this status.
    pub fn handle_send(&mut self, status: u16, timers: &Timers, now: Instant) {
        if self.state != State::Open || status < 200 {
            return;
        }
        match (self.kind, status) {
            (ServerKind::Invite, 200..300) => {
                self.state = State::Accepted;
                self.clock.end_in(timers.timeout(), now);
            }
            (ServerKind::Invite, _) => {
                self.state = State::Completed;
                self.clock = Clock::start(now, self.reliable, timers.t1, timers.timeout());
            }
            (ServerKind::NonInvite, _) => {
                self.state = State::Completed;
                self.linger(now, timers.j(self.reliable));
            }
        }
    }

    /// The request came again.
    #[must_use]
    pub fn handle_retransmission(&self) -> ServerAction {
        match self.state {
            State::Open | State::Completed => ServerAction::Repeat,
            State::Accepted | State::Confirmed | State::Terminated => ServerAction::Nothing,
        }
    }

    /// An ACK with the branch of this transaction came.
    pub fn handle_ack(&mut self, timers: &Timers, now: Instant) -> ServerAction {
        if self.kind != ServerKind::Invite || self.state != State::Completed {
            return ServerAction::Nothing;
        }
        self.state = State::Confirmed;
        self.clock.stop_repeating();
        self.linger(now, timers.linger(self.reliable));
        if self.is_terminated() {
            ServerAction::Terminated
        } else {
            ServerAction::Nothing
        }
    }

    fn linger(&mut self, now: Instant, time: Duration) {
        if time.is_zero() {
            self.terminate();
        } else {
            self.clock.end_in(time, now);
        }
    }

    /// Time has reached [`Self::next_timeout`].
    pub fn handle_timeout(&mut self, timers: &Timers, now: Instant) -> ServerAction {
        match self.clock.due(now) {
            Due::Nothing => ServerAction::Nothing,
            Due::Repeat(interval) => {
                self.clock.repeat_after(timers.back_off(interval), now);
                ServerAction::Repeat
            }
            Due::End => {
                let unacknowledged =
                    self.kind == ServerKind::Invite && self.state == State::Completed;
                self.terminate();
                if unacknowledged {
                    ServerAction::NeverAcknowledged
                } else {
                    ServerAction::Terminated
                }
            }
        }
    }

    /// The owner gives the transaction up.
    pub fn terminate(&mut self) {
        self.state = State::Terminated;
        self.clock.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_alone;
    use super::*;

    const TIMERS: Timers = Timers::RFC3261;

    fn run(machine: &mut ServerTransaction, start: Instant) -> Vec<(u128, ServerAction)> {
        let next = ServerTransaction::next_timeout;
        run_alone(machine, start, next, ServerTransaction::handle_timeout)
    }

    #[test]
    fn refused_invite_follows_timers_g_and_h() {
        let start = Instant::now();
        let mut machine = ServerTransaction::new(ServerKind::Invite, false);
        machine.handle_send(180, &TIMERS, start);
        assert_eq!(machine.next_timeout(), None);
        machine.handle_send(486, &TIMERS, start);
        let log = run(&mut machine, start);
        let times: Vec<u128> = log.iter().map(|(at, _)| *at).collect();
        assert_eq!(
            times,
            [
                500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000
            ]
        );
        assert_eq!(log[10].1, ServerAction::NeverAcknowledged);
    }

    #[test]
    fn ack_stops_timer_g_and_starts_timer_i() {
        let start = Instant::now();
        let mut machine = ServerTransaction::new(ServerKind::Invite, false);
        machine.handle_send(486, &TIMERS, start);
        assert_eq!(machine.handle_ack(&TIMERS, start), ServerAction::Nothing);
        assert_eq!(machine.handle_retransmission(), ServerAction::Nothing);
        assert_eq!(run(&mut machine, start), [(5000, ServerAction::Terminated)]);
    }

    #[test]
    fn accepted_invite_absorbs_retransmissions_until_timer_l() {
        let start = Instant::now();
        let mut machine = ServerTransaction::new(ServerKind::Invite, false);
        assert_eq!(machine.handle_retransmission(), ServerAction::Repeat);
        machine.handle_send(200, &TIMERS, start);
        assert_eq!(machine.handle_retransmission(), ServerAction::Nothing);
        assert_eq!(machine.handle_ack(&TIMERS, start), ServerAction::Nothing);
        assert_eq!(
            run(&mut machine, start),
            [(32000, ServerAction::Terminated)]
        );
    }

    #[test]
    fn non_invite_repeats_its_answer_until_timer_j() {
        let start = Instant::now();
        let mut machine = ServerTransaction::new(ServerKind::NonInvite, false);
        machine.handle_send(200, &TIMERS, start);
        assert_eq!(machine.handle_retransmission(), ServerAction::Repeat);
        assert_eq!(
            run(&mut machine, start),
            [(32000, ServerAction::Terminated)]
        );
    }

    #[test]
    fn reliable_transport_has_no_g_i_or_j() {
        let start = Instant::now();
        let mut machine = ServerTransaction::new(ServerKind::Invite, true);
        machine.handle_send(486, &TIMERS, start);
        assert_eq!(
            run(&mut machine.clone(), start),
            [(32000, ServerAction::NeverAcknowledged)]
        );
        assert_eq!(machine.handle_ack(&TIMERS, start), ServerAction::Terminated);
        let mut bye = ServerTransaction::new(ServerKind::NonInvite, true);
        bye.handle_send(200, &TIMERS, start);
        assert!(bye.is_terminated());
    }
}
