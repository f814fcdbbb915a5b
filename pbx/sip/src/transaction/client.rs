//! INVITE and non-INVITE client transactions (RFC 3261 17.1, RFC 6026 7.2).

use std::time::{Duration, Instant};

use super::clock::{Clock, Due};
use crate::timer::Timers;

/// Which of the two client machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// RFC 3261 17.1.1, RFC 6026 7.2.
    Invite,
    /// RFC 3261 17.1.2.
    NonInvite,
}

/// What the owner has to do after an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAction {
    /// Nothing: the response is a repetition, or the timer was early.
    Nothing,
    /// Give the response to the transaction user.
    Deliver,
    /// Give the response to the transaction user and send the ACK of RFC 3261 17.1.1.3.
    DeliverAndAck,
    /// Send the same ACK again.
    RepeatAck,
    /// Send the request again.
    Retransmit,
    /// No final response in time: tell the transaction user; the machine is terminated.
    TimedOut,
    /// The machine has ended quietly.
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// "Calling" for INVITE, "Trying" otherwise.
    Sent,
    Proceeding,
    /// RFC 6026: a 2xx came, further ones are passed on.
    Accepted,
    Completed,
    Terminated,
}

/// One client transaction.
#[derive(Clone, Debug)]
pub struct ClientTransaction {
    kind: ClientKind,
    reliable: bool,
    state: State,
    clock: Clock,
}

impl ClientTransaction {
    /// The request has just been sent for the first time.
    #[must_use]
    pub fn new(kind: ClientKind, reliable: bool, timers: &Timers, now: Instant) -> Self {
        Self {
            kind,
            reliable,
            state: State::Sent,
            clock: Clock::start(now, reliable, timers.t1, timers.timeout()),
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

    /// Whether a provisional response has arrived and no final one.
    #[must_use]
    pub fn is_proceeding(&self) -> bool {
        self.state == State::Proceeding
    }

    /// Whether no final response has arrived yet.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Sent | State::Proceeding)
    }

    /// Which machine this is.
    #[must_use]
    pub fn kind(&self) -> ClientKind {
        self.kind
    }

    /// A response that matches this transaction.
    pub fn handle_response(&mut self, status: u16, timers: &Timers, now: Instant) -> ClientAction {
        match self.kind {
            ClientKind::Invite => self.invite_response(status, timers, now),
            ClientKind::NonInvite => self.non_invite_response(status, timers, now),
        }
    }

    fn invite_response(&mut self, status: u16, timers: &Timers, now: Instant) -> ClientAction {
        match (self.state, status) {
            (State::Sent, ..200) => {
                self.state = State::Proceeding;
                self.clock.stop();
                ClientAction::Deliver
            }
            // The limit after a CANCEL stands, however often the peer says 180.
            (State::Proceeding, ..200) => ClientAction::Deliver,
            (State::Sent | State::Proceeding, 200..300) => {
                self.state = State::Accepted;
                self.clock.stop_repeating();
                self.clock.end_in(timers.timeout(), now);
                ClientAction::Deliver
            }
            (State::Accepted, 200..300) => ClientAction::Deliver,
            (State::Sent | State::Proceeding, _) => {
                self.complete(now, timers.d(self.reliable));
                ClientAction::DeliverAndAck
            }
            (State::Completed, 300..) => ClientAction::RepeatAck,
            _ => ClientAction::Nothing,
        }
    }

    fn non_invite_response(&mut self, status: u16, timers: &Timers, now: Instant) -> ClientAction {
        match (self.state, status) {
            (State::Sent, ..200) => {
                self.state = State::Proceeding;
                ClientAction::Deliver
            }
            (State::Proceeding, ..200) => ClientAction::Deliver,
            (State::Sent | State::Proceeding, _) => {
                self.complete(now, timers.linger(self.reliable));
                ClientAction::Deliver
            }
            _ => ClientAction::Nothing,
        }
    }

    fn complete(&mut self, now: Instant, linger: Duration) {
        if linger.is_zero() {
            self.terminate();
        } else {
            self.state = State::Completed;
            self.clock.stop_repeating();
            self.clock.end_in(linger, now);
        }
    }

    /// Time has reached [`Self::next_timeout`].
    pub fn handle_timeout(&mut self, timers: &Timers, now: Instant) -> ClientAction {
        match self.clock.due(now) {
            Due::Nothing => ClientAction::Nothing,
            Due::Repeat(interval) => {
                let next = match (self.kind, self.state) {
                    (ClientKind::Invite, _) => interval.saturating_mul(2),
                    (ClientKind::NonInvite, State::Proceeding) => timers.t2,
                    (ClientKind::NonInvite, _) => timers.back_off(interval),
                };
                self.clock.repeat_after(next, now);
                ClientAction::Retransmit
            }
            Due::End => {
                let waiting = self.is_pending();
                self.terminate();
                if waiting {
                    ClientAction::TimedOut
                } else {
                    ClientAction::Terminated
                }
            }
        }
    }

    /// From now on the request is given up when no final response comes in 64·T1: an INVITE after
    /// our CANCEL (RFC 3261 9.1), or a re-INVITE, which nobody has to be fetched for.
    pub fn limit(&mut self, timers: &Timers, now: Instant) {
        if self.is_pending() {
            self.clock.end_in(timers.timeout(), now);
        }
    }

    /// The transport failed, or the owner gives the transaction up.
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

    fn run(machine: &mut ClientTransaction, start: Instant) -> Vec<(u128, ClientAction)> {
        let next = ClientTransaction::next_timeout;
        run_alone(machine, start, next, ClientTransaction::handle_timeout)
    }

    #[test]
    fn invite_over_udp_follows_timers_a_and_b() {
        let start = Instant::now();
        let mut machine = ClientTransaction::new(ClientKind::Invite, false, &TIMERS, start);
        let log = run(&mut machine, start);
        let times: Vec<u128> = log.iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [500, 1500, 3500, 7500, 15500, 31500, 32000]);
        assert_eq!(log[6].1, ClientAction::TimedOut);
        assert!(log[..6].iter().all(|(_, a)| *a == ClientAction::Retransmit));
    }

    #[test]
    fn non_invite_over_udp_follows_timers_e_and_f() {
        let start = Instant::now();
        let mut machine = ClientTransaction::new(ClientKind::NonInvite, false, &TIMERS, start);
        let times: Vec<u128> = run(&mut machine, start).iter().map(|(at, _)| *at).collect();
        assert_eq!(
            times,
            [
                500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000
            ]
        );
    }

    #[test]
    fn non_invite_retransmits_every_t2_once_proceeding() {
        let start = Instant::now();
        let mut machine = ClientTransaction::new(ClientKind::NonInvite, false, &TIMERS, start);
        machine.handle_response(100, &TIMERS, start);
        let times: Vec<u128> = run(&mut machine, start).iter().map(|(at, _)| *at).collect();
        assert_eq!(times[..3], [500, 4500, 8500]);
    }

    #[test]
    fn reliable_transport_never_retransmits_and_lingers_not() {
        let start = Instant::now();
        let mut machine = ClientTransaction::new(ClientKind::Invite, true, &TIMERS, start);
        assert_eq!(
            run(&mut machine.clone(), start),
            [(32000, ClientAction::TimedOut)]
        );
        assert_eq!(
            machine.handle_response(486, &TIMERS, start),
            ClientAction::DeliverAndAck
        );
        assert!(machine.is_terminated());
        let mut bye = ClientTransaction::new(ClientKind::NonInvite, true, &TIMERS, start);
        assert_eq!(
            bye.handle_response(200, &TIMERS, start),
            ClientAction::Deliver
        );
        assert!(bye.is_terminated());
    }

    #[test]
    fn failure_is_acknowledged_each_time_until_timer_d() {
        let start = Instant::now();
        let mut machine = ClientTransaction::new(ClientKind::Invite, false, &TIMERS, start);
        assert_eq!(
            machine.handle_response(180, &TIMERS, start),
            ClientAction::Deliver
        );
        assert_eq!(machine.next_timeout(), None);
        assert_eq!(
            machine.handle_response(486, &TIMERS, start),
            ClientAction::DeliverAndAck
        );
        assert_eq!(
            machine.handle_response(486, &TIMERS, start),
            ClientAction::RepeatAck
        );
        assert_eq!(
            machine.handle_response(200, &TIMERS, start),
            ClientAction::Nothing
        );
        assert_eq!(
            run(&mut machine, start),
            [(32000, ClientAction::Terminated)]
        );
    }

    #[test]
    fn repeated_2xx_is_delivered_until_timer_m() {
        let start = Instant::now();
        let mut machine = ClientTransaction::new(ClientKind::Invite, false, &TIMERS, start);
        for _ in 0..3 {
            assert_eq!(
                machine.handle_response(200, &TIMERS, start),
                ClientAction::Deliver
            );
        }
        assert_eq!(
            machine.handle_response(486, &TIMERS, start),
            ClientAction::Nothing
        );
        assert_eq!(
            run(&mut machine, start),
            [(32000, ClientAction::Terminated)]
        );
    }

    #[test]
    fn timer_k_ends_a_completed_non_invite() {
        let start = Instant::now();
        let mut machine = ClientTransaction::new(ClientKind::NonInvite, false, &TIMERS, start);
        machine.handle_response(200, &TIMERS, start);
        assert_eq!(
            machine.handle_response(200, &TIMERS, start),
            ClientAction::Nothing
        );
        assert_eq!(run(&mut machine, start), [(5000, ClientAction::Terminated)]);
    }

    #[test]
    fn cancelled_invite_without_final_response_is_given_up() {
        let start = Instant::now();
        let mut machine = ClientTransaction::new(ClientKind::Invite, false, &TIMERS, start);
        machine.handle_response(180, &TIMERS, start);
        machine.limit(&TIMERS, start + Duration::from_secs(60));
        machine.handle_response(180, &TIMERS, start + Duration::from_secs(61));
        assert_eq!(run(&mut machine, start), [(92000, ClientAction::TimedOut)]);
    }
}
