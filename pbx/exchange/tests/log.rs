//! What is logged. Alone in its binary, because a subscriber is seen by all threads.

mod support;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use support::caller::{eventful_call, secrets};
use support::house::house;
use tracing::field::{Field, Visit};
use tracing::span;

/// Collects all that is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").expect("a string takes all");
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _metadata: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _attributes: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = self.0.lock().expect("one thread");
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

#[test]
fn the_log_knows_no_number_name_or_address() {
    let log = Log::default();
    let world = tracing::subscriber::with_default(log.clone(), || {
        let mut world = house(2);
        eventful_call(&mut world);
        world
    });
    let text = log.0.lock().expect("one thread").to_lowercase();
    assert!(text.contains("leg up"), "something was logged");
    let mut secrets = secrets(&world);
    secrets.retain(|secret| secret != "carrier");
    secrets.push("203.0.113".to_owned());
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} in the log");
    }
}
