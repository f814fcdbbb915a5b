//! Who hears whom, and when: the pure heart of the exchange.
//!
//! One [`Router`] owns all live calls of a node. Back ends tell it facts
//! ([`Event`]), it answers with orders ([`Command`]) and facts of its own
//! ([`Notice`]). It knows no protocol, socket or clock; time is an argument.

mod agent;
mod call;
mod check;
mod check_kept;
mod clock;
pub mod command;
pub mod config;
pub mod event;
pub mod id;
mod leg;
pub mod limits;
pub mod notice;
mod offer;
pub mod outcome;
pub mod party;
mod queue;
mod roster;
mod router;
pub mod schedule;
mod screening;
pub mod snapshot;
mod talk;
mod timer;
mod tracked;
mod voicemail;
mod waiting;

pub use command::{Command, HangupReason, Prompt, PromptKind, RejectReason};
pub use config::{HubConfig, RateLimit, RouterConfig, Screening, VolunteerConfig};
pub use event::{Event, LegEnd, RecordingEnd};
pub use id::{AccountId, CallId, DeviceId, HubId, LegId, RecordingId, TrunkId, VolunteerId};
pub use notice::{CallRecord, Notice, RungVolunteer, VolunteerState};
pub use outcome::{FailReason, Outcome};
pub use party::{CallerHash, CallerHasher, CallerTag, Digit, PhoneNumber};
pub use router::Router;
pub use snapshot::{CallSnapshot, CallStage, Counters, Snapshot, VolunteerSnapshot};
pub use timer::TimerReason;
