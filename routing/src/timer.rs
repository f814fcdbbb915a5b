//! Why the router wants to be woken.

/// What a deadline is for; the shell may log it, and must not act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerReason {
    /// A caller has heard ringback long enough and is to be answered.
    AnswerCaller,
    /// A caller has waited long enough and is asked for a message.
    QueueTimeout,
    /// Nobody is left who could be rung for a caller.
    NobodyLeft,
    /// A phone may be rung again after it was busy, declined or out of reach.
    RingAgain,
    /// The next of more phones than may ring at once.
    NextWave,
    /// A prompt, recording or answer takes longer than it may.
    MediaStep,
    /// A volunteer's time after a call is over.
    WrapUpOver,
    /// A shift begins or ends.
    ShiftChange,
}
