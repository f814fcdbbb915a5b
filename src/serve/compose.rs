//! From a hotline file to what the running parts need.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use exchange::ExchangeConfig;
use jiff::Timestamp;
use media::codec::Codec;
use store::{BanRow, Store, StoreError};

use super::ServeError;
use super::ingest::{self, Ingest};
use super::voice::VoiceConfig;
use crate::applied;
use crate::cli::say;
use crate::hotline::{self, Hotline};
use crate::prompts::{self, OnFailure, Workshop};

/// The native exchange among the back ends.
const BACK_END: u8 = 0;
/// In the order in which phones are offered them: what the telephone network
/// speaks first, because a call that needs no transcoding sounds best.
const CODECS: [Codec; 4] = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];

/// Makes configurations out of hotline files, prompts included.
pub struct Composer {
    store: Arc<Store>,
    workshop: Workshop,
}

impl Composer {
    /// With its prompt cache in the data folder.
    ///
    /// # Errors
    /// The system does not say where this program is.
    pub fn new(data: &Path, store: Arc<Store>) -> Result<Self, ServeError> {
        let workshop = Workshop::new(&prompt_cache(data), OnFailure::UseBuiltIn)
            .map_err(|error| ServeError::Other(format!("cannot prepare prompts: {error}")))?;
        Ok(Self { store, workshop })
    }

    /// Everything that the voice loop needs to work by `hotline`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn compose(&self, hotline: &Hotline) -> Result<VoiceConfig, ServeError> {
        let bans = self.bans(hotline).await?;
        let breaks = self.store.unscoped().breaks().await?;
        let (plan, workshop) = (hotline.clone(), self.workshop.clone());
        // Speech and decoding run in child processes; waiting for them must not hold up calls.
        let ready = tokio::task::spawn_blocking(move || {
            prompts::prepare(&plan, &workshop, &mut |line| tracing::info!("{line}"))
        })
        .await
        .map_err(ServeError::other)?
        .map_err(|failures| ServeError::Other(sentences(&failures)))?;
        for note in &ready.notes {
            tracing::warn!("{note}");
        }
        let network = &hotline.network;
        let router = hotline.to_router_config(&bans, &breaks);
        let queue_timeouts = router.hubs.values().map(|hub| hub.queue_timeout);
        Ok(VoiceConfig {
            max_calls: hotline.limits.calls as usize,
            exchange: ExchangeConfig {
                ua: hotline.to_ua_config(concat!("Centralita/", env!("CARGO_PKG_VERSION"))),
                media_address: network.media_address(),
                media_bind: network.media_bind(),
                rtp_ports: network.rtp_ports.first..=network.rtp_ports.last,
                codecs: CODECS.to_vec(),
                media_timeout: Duration::from_secs(u64::from(hotline.limits.media_timeout_s)),
                longest_ring: queue_timeouts.max().unwrap_or_default(),
                called: hotline.to_called_numbers(),
                clips: ready.clip_ids(),
                back_end: BACK_END,
            },
            router,
            ingest: self.ingest(hotline).await?,
            clips: ready.clips(),
        })
    }

    /// Whom what comes in is for, as the database has it now.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn ingest(&self, hotline: &Hotline) -> Result<Ingest, StoreError> {
        ingest::load(&self.store, hotline).await
    }

    async fn bans(&self, hotline: &Hotline) -> Result<Vec<BanRow>, StoreError> {
        let mut bans = Vec::new();
        for hub in hotline.hubs.keys() {
            bans.extend(self.store.unscoped().bans(hub, Timestamp::now()).await?);
        }
        Ok(bans)
    }
}

/// Where rendered prompts are kept, below the data folder.
pub fn prompt_cache(data: &Path) -> PathBuf {
    data.join("prompts")
}

/// What keeps prompts from being made, one line each.
pub fn sentences(failures: &[prompts::PromptFailure]) -> String {
    let lines: Vec<String> = failures.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Sets up the demonstration hotline in an empty data folder and says how to use it.
///
/// # Errors
/// The data folder takes no files.
pub async fn set_up_demo(data: &Path, store: &Store) -> Result<Hotline, ServeError> {
    let key_file = data.join("demo-reader.key");
    let key = crypto::ReaderSecretKey::generate().map_err(ServeError::other)?;
    crate::private_file::create(&key_file, key.reveal().as_bytes()).map_err(ServeError::other)?;
    let ports = hotline::DemoPorts::default();
    let demo = hotline::demo_hotline(key.public_key(), ports).map_err(ServeError::other)?;
    let file = data.join("demo-hotline.toml");
    crate::private_file::create(&file, demo.text.reveal().as_bytes()).map_err(ServeError::other)?;
    let read = hotline::parse(demo.text.reveal(), &file).map_err(ServeError::other)?;
    let changes = applied::changes(store, None, &read.hotline)
        .await
        .map_err(ServeError::other)?;
    store.commit(changes).await?;
    welcome(data, &demo, ports);
    Ok(read.hotline)
}

fn welcome(data: &Path, demo: &hotline::Demo, ports: hotline::DemoPorts) {
    say(format_args!(
        "A demonstration hotline is set up, on this machine only (127.0.0.1:{}).\n",
        ports.sip
    ));
    say("Register a softphone as one of the volunteers (SIP over UDP or TCP):");
    for (user, password) in &demo.phones {
        let old = if user == hotline::OLD_PHONE {
            "   (for older phones, such as baresip 1)"
        } else {
            ""
        };
        say(format_args!(
            "  {user}@127.0.0.1:{}   password {}{old}",
            ports.sip,
            password.reveal()
        ));
    }
    say("\nPlace a test call from any of them, or from any program on this machine:");
    say(format_args!(
        "  sip:{}@127.0.0.1:{}\n",
        hotline::DEMO_NUMBER,
        ports.sip
    ));
    say("Who does not pick up within a while gets a message; open it with:");
    say(format_args!(
        "  centralita --data {0} voicemail\n  centralita --data {0} voicemail open ID --key {0}/demo-reader.key --out message.wav\n",
        data.display()
    ));
    say(format_args!(
        "The hotline file is {0}/demo-hotline.toml. Change it and run:",
        data.display()
    ));
    say(format_args!(
        "  centralita --data {0} apply {0}/demo-hotline.toml\n",
        data.display()
    ));
}
