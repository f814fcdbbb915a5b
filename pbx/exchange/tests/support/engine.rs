//! A media engine that carries no sound and is strict about its orders.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use media::control::{
    ClipId, MediaCommand, MediaEvent, PortFormat, PortId, PortStats, RecordingKey, RecordingStop,
};

#[derive(Debug)]
pub struct Port {
    pub local: SocketAddr,
    pub format: Option<PortFormat>,
    pub media_timeout: Duration,
    pub hears: BTreeSet<PortId>,
    pub clip: Option<(ClipId, bool)>,
    pub recording: Option<RecordingKey>,
}

#[derive(Default)]
pub struct Engine {
    pub ports: BTreeMap<PortId, Port>,
    pub fail_opens: bool,
    /// How often any port was configured.
    pub configured: usize,
    /// Whether `Close` gets no `Closed`, as from an engine that hangs.
    pub hangs: bool,
    used: BTreeSet<PortId>,
    /// Orders for these were on their way when opening failed.
    failed: BTreeSet<PortId>,
}

impl Engine {
    pub fn at(&self, number: u16) -> Option<PortId> {
        let found = self
            .ports
            .iter()
            .find(|(_, port)| port.local.port() == number);
        found.map(|(id, _)| *id)
    }

    pub fn port(&self, id: PortId) -> &Port {
        &self.ports[&id]
    }

    pub fn format(&self, id: PortId) -> &PortFormat {
        self.ports[&id].format.as_ref().expect("a configured port")
    }

    pub fn handle(&mut self, command: MediaCommand) -> Vec<MediaEvent> {
        if target(&command).is_some_and(|port| self.failed.contains(&port)) {
            return Vec::new();
        }
        match command {
            MediaCommand::Open { port, local } => return self.open(port, local),
            MediaCommand::Configure {
                port,
                format,
                media_timeout,
            } => {
                self.configured += 1;
                let port = self.get(port);
                port.format = Some(format);
                port.media_timeout = media_timeout;
            }
            MediaCommand::Connect { from, to } => {
                assert!(self.ports.contains_key(&from), "{from:?} is open");
                self.get(to).hears.insert(from);
            }
            MediaCommand::Disconnect { from, to } => {
                self.get(to).hears.remove(&from);
            }
            MediaCommand::Play { port, clip, repeat } => {
                self.get(port).clip = Some((clip, repeat));
            }
            MediaCommand::StopPlaying { port } => self.get(port).clip = None,
            MediaCommand::Record {
                port, recording, ..
            } => {
                let before = self.get(port).recording.replace(recording);
                assert_eq!(before, None, "one recording at a time");
            }
            MediaCommand::StopRecording { port } => return self.stop_recording(port),
            MediaCommand::SendDigit { .. } => {}
            MediaCommand::Close { port } => return self.close(port),
        }
        Vec::new()
    }

    fn open(&mut self, port: PortId, local: SocketAddr) -> Vec<MediaEvent> {
        assert!(self.used.insert(port), "{port:?} is new");
        assert_eq!(local.port() % 2, 0, "RTP has an even port");
        assert_eq!(self.at(local.port()), None, "the number is free");
        if self.fail_opens {
            self.failed.insert(port);
            return vec![MediaEvent::OpenFailed { port }];
        }
        let opened = Port {
            local,
            format: None,
            media_timeout: Duration::ZERO,
            hears: BTreeSet::new(),
            clip: None,
            recording: None,
        };
        self.ports.insert(port, opened);
        Vec::new()
    }

    fn stop_recording(&mut self, port: PortId) -> Vec<MediaEvent> {
        let ended = |recording| MediaEvent::RecordingEnded {
            port,
            recording,
            stop: RecordingStop::Ordered,
            length: Duration::from_secs(7),
        };
        self.get(port)
            .recording
            .take()
            .map(ended)
            .into_iter()
            .collect()
    }

    fn close(&mut self, port: PortId) -> Vec<MediaEvent> {
        let mut events = self.stop_recording(port);
        self.ports.remove(&port);
        for other in self.ports.values_mut() {
            other.hears.remove(&port);
        }
        let stats = PortStats::default();
        events.push(MediaEvent::Closed { port, stats });
        if self.hangs {
            events.clear();
        }
        events
    }

    fn get(&mut self, port: PortId) -> &mut Port {
        self.ports
            .get_mut(&port)
            .unwrap_or_else(|| panic!("{port:?} is open"))
    }
}

fn target(command: &MediaCommand) -> Option<PortId> {
    match command {
        MediaCommand::Configure { port, .. }
        | MediaCommand::Play { port, .. }
        | MediaCommand::StopPlaying { port } => Some(*port),
        _ => None,
    }
}
