//! Seals messages while they are recorded.
//!
//! The media thread hands audio over a bounded queue; one writer thread seals
//! it chunk by chunk and appends the ciphertext. Plaintext lives in these two
//! threads' memory only, for as long as it takes to fill a chunk (0.5 s). A
//! message that is whole is signed, so that nobody's own is taken for it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use crypto::record::VoicemailHash;
use crypto::{HubId, OsEntropy, ReaderPublicKey, RecordId, VoicemailMeta, VoicemailWriter};
use media::control::RecordingKey;
use media::record::{RecordSink, RecordSinks, SinkFull};
use zeroize::Zeroizing;

use crate::keys::IngestKey;

/// Pieces of audio (20 ms each) that may wait for the disk: 20 s for all recordings together.
const MAX_QUEUED_PIECES: usize = 1_000;

/// Where the message of a recording lies, below the data folder.
pub fn relative_path(recording: u64) -> String {
    format!("voicemail/{recording:016x}.sealed")
}

fn file_path(data: &Path, recording: u64) -> PathBuf {
    data.join(relative_path(recording))
}

/// What the writer tells about a recording.
#[derive(Debug)]
pub enum Stored {
    /// The file is whole and on the disk.
    Complete {
        /// Which.
        recording: u64,
        /// Whose people may open it.
        hub: HubId,
        /// How much of it is audio.
        length: Duration,
        /// The server's signature over all of the file (`docs/protocol/record-v1.md`).
        header: Vec<u8>,
    },
    /// The disk did not take it; what is there opens as far as it goes.
    Failed {
        /// Which.
        recording: u64,
        /// What the system said.
        error: io::Error,
    },
}

/// A message that is about to be spoken.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Which.
    pub recording: u64,
    /// Whose people may open it.
    pub hub: HubId,
    /// When, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// How its sound will be sampled.
    pub sample_rate_hz: u32,
    /// To whom it is sealed.
    pub readers: Vec<ReaderPublicKey>,
}

impl NewMessage {
    /// The record that the message is.
    fn record(&self) -> RecordId {
        RecordId::from_bytes(u128::from(self.recording).to_be_bytes())
    }

    fn meta(&self) -> VoicemailMeta {
        VoicemailMeta {
            hub: self.hub.to_string(),
            recording: self.record().to_string(),
            created_at_ms: self.created_at_ms,
            sample_rate_hz: self.sample_rate_hz,
        }
    }
}

enum Piece {
    Begin {
        message: NewMessage,
        failed: Arc<AtomicBool>,
    },
    Audio {
        recording: u64,
        pcm: Zeroizing<Vec<u8>>,
    },
    Finish {
        recording: u64,
    },
    Discard {
        recording: u64,
    },
}

/// The control side: announces recordings before the engine starts them.
pub struct Announcer {
    queue: SyncSender<Piece>,
    announced: Arc<std::sync::Mutex<BTreeMap<u64, Arc<AtomicBool>>>>,
}

impl Announcer {
    /// Says whose message it will be. The engine's sink for it finds nothing to do without this.
    pub fn announce(&self, message: NewMessage) {
        let failed = Arc::new(AtomicBool::new(false));
        self.announced
            .lock()
            .expect("no holder of this lock can panic")
            .insert(message.recording, Arc::clone(&failed));
        let begin = Piece::Begin {
            message,
            failed: Arc::clone(&failed),
        };
        if self.queue.try_send(begin).is_err() {
            failed.store(true, Ordering::Relaxed);
        }
    }

    /// Deletes a message that is too short to be one.
    pub fn discard(&self, recording: u64) {
        let _ = self.queue.try_send(Piece::Discard { recording });
    }
}

/// The media side, given to the engine.
pub struct Sinks {
    queue: SyncSender<Piece>,
    announced: Arc<std::sync::Mutex<BTreeMap<u64, Arc<AtomicBool>>>>,
}

impl RecordSinks for Sinks {
    fn open(&mut self, recording: RecordingKey) -> Box<dyn RecordSink> {
        let failed = self
            .announced
            .lock()
            .expect("no holder of this lock can panic")
            .remove(&recording.0)
            .unwrap_or_else(|| Arc::new(AtomicBool::new(true)));
        Box::new(Sink {
            recording: recording.0,
            queue: self.queue.clone(),
            failed,
        })
    }
}

struct Sink {
    recording: u64,
    queue: SyncSender<Piece>,
    failed: Arc<AtomicBool>,
}

impl RecordSink for Sink {
    fn write(&mut self, pcm: &[i16]) -> Result<(), SinkFull> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(SinkFull);
        }
        let bytes = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let piece = Piece::Audio {
            recording: self.recording,
            pcm: Zeroizing::new(bytes),
        };
        match self.queue.try_send(piece) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(SinkFull),
        }
    }

    fn finish(&mut self) {
        // A full queue means a disk that hangs; the file then ends without its last chunk and says so when opened.
        let _ = self.queue.try_send(Piece::Finish {
            recording: self.recording,
        });
    }
}

/// Starts the writer thread, which signs with `key`. `stored` is called on it.
///
/// # Errors
/// The folder cannot be made or takes no files, or the thread cannot be started.
pub fn start(
    data: &Path,
    key: IngestKey,
    stored: impl Fn(Stored) + Send + 'static,
) -> io::Result<(Announcer, Sinks)> {
    let folder = data.join("voicemail");
    std::fs::create_dir_all(&folder)?;
    take_one_file(&folder)?;
    let (queue, pieces) = sync_channel(MAX_QUEUED_PIECES);
    let announced = Arc::default();
    let data = data.to_owned();
    std::thread::Builder::new()
        .name("voicemail".into())
        .spawn(move || write_all(&data, &key, &pieces, &stored))?;
    Ok((
        Announcer {
            queue: queue.clone(),
            announced: Arc::clone(&announced),
        },
        Sinks { queue, announced },
    ))
}

/// Whether a message can be kept is to be known before somebody leaves one.
fn take_one_file(folder: &Path) -> io::Result<()> {
    let probe = folder.join("start.tmp");
    match std::fs::remove_file(&probe) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    crate::private_file::create(&probe, b"")?;
    std::fs::remove_file(&probe)
}

/// A message that is being spoken.
struct Open {
    file: File,
    writer: VoicemailWriter,
    written: VoicemailHash,
    hub: HubId,
    record: RecordId,
    pcm_bytes: u64,
    bytes_per_s: u64,
    failed: Arc<AtomicBool>,
}

impl Open {
    fn begin(data: &Path, message: &NewMessage, failed: Arc<AtomicBool>) -> io::Result<Self> {
        let (writer, front) =
            VoicemailWriter::new(&message.meta(), &message.readers, &mut OsEntropy)
                .map_err(io::Error::other)?;
        let path = file_path(data, message.recording);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let mut open = Self {
            file,
            writer,
            written: VoicemailHash::default(),
            hub: message.hub,
            record: message.record(),
            pcm_bytes: 0,
            bytes_per_s: u64::from(message.sample_rate_hz) * 2,
            failed,
        };
        open.append(&front)?;
        // The name must survive a power cut as well.
        File::open(path.parent().unwrap_or(data))?.sync_all()?;
        Ok(open)
    }

    fn push(&mut self, pcm: &[u8]) -> io::Result<()> {
        self.pcm_bytes += pcm.len() as u64;
        let sealed = self.writer.push(pcm);
        self.append(&sealed)
    }

    /// Its length, and what the server signs of it.
    fn finish(mut self, key: &IngestKey) -> io::Result<(Duration, Vec<u8>)> {
        let length = Duration::from_millis(self.pcm_bytes * 1_000 / self.bytes_per_s.max(1));
        let end = self.writer.finish();
        append(&mut self.file, &mut self.written, &end)?;
        let header = self
            .written
            .sign(self.hub, self.record, key.id(), key.signing_key());
        Ok((length, header.encode()))
    }

    fn append(&mut self, sealed: &[u8]) -> io::Result<()> {
        append(&mut self.file, &mut self.written, sealed)
    }
}

fn write_all(data: &Path, key: &IngestKey, pieces: &Receiver<Piece>, stored: &impl Fn(Stored)) {
    let mut open: BTreeMap<u64, Open> = BTreeMap::new();
    while let Ok(piece) = pieces.recv() {
        match piece {
            Piece::Begin { message, failed } => {
                let recording = message.recording;
                match Open::begin(data, &message, Arc::clone(&failed)) {
                    Ok(message) => drop(open.insert(recording, message)),
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        stored(Stored::Failed { recording, error });
                    }
                }
            }
            Piece::Audio { recording, pcm } => {
                let Some(message) = open.get_mut(&recording) else {
                    continue;
                };
                if let Err(error) = message.push(&pcm) {
                    message.failed.store(true, Ordering::Relaxed);
                    open.remove(&recording);
                    stored(Stored::Failed { recording, error });
                }
            }
            Piece::Finish { recording } => {
                let Some(message) = open.remove(&recording) else {
                    continue;
                };
                let hub = message.hub;
                stored(match message.finish(key) {
                    Ok((length, header)) => Stored::Complete {
                        recording,
                        hub,
                        length,
                        header,
                    },
                    Err(error) => Stored::Failed { recording, error },
                });
            }
            Piece::Discard { recording } => {
                open.remove(&recording);
                let _ = std::fs::remove_file(file_path(data, recording));
            }
        }
    }
}

fn append(file: &mut File, written: &mut VoicemailHash, sealed: &[u8]) -> io::Result<()> {
    if sealed.is_empty() {
        return Ok(());
    }
    written.grow(sealed);
    file.write_all(sealed)?;
    file.sync_data()
}
