//! The web server for volunteers and admins, beside the exchange. Calls do not wait for it: what
//! keeps it from running is told, and the exchange goes on without it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crypto::transparency::{LogKey, SignedCheckpoint};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::{Blob, Id, IngestKeyView, Topic};
use store::Store;
use thiserror::Error;
use tokio::sync::watch;
use web_api::{
    BootstrapError, CertificateFlaw, KeyLogError, ListenError, News, Serving, Shared, Tls,
    TlsError, TlsSource, WebOptions, WebServer, certificate_flaws,
};

use super::admin::FromPanel;
use super::records::{Kept, KeptHere};
use crate::authority;
use crate::cli::say;
use crate::hotline::{Certificate, Hotline, Web};
use crate::keys::{self, KeyFileError};
use crate::witness::publish::{KeyLog, Publisher, PublisherError, SYSTEM_ROOTS, WitnessAddress};

/// How long requests may take to finish once the last call is over.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Why the panel is not served.
#[derive(Debug, Error)]
pub enum WebError {
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The key log.
    #[error(transparent)]
    KeyLog(#[from] KeyLogError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address.
    #[error("{0} ([web] in the hotline file)")]
    Listen(#[from] ListenError),
    /// The witnesses.
    #[error("nobody can be asked to confirm the key log: {0}")]
    Publisher(#[from] PublisherError),
    /// The code for the first admin.
    #[error("no code for the first admin can be made: {0}")]
    Bootstrap(#[from] BootstrapError),
}

/// The web server at work.
pub struct Panel {
    serving: Serving,
    shared: Arc<Shared>,
}

impl Panel {
    /// Serves what `[web]` of `hotline` asks for; `None` when it is off. Prints a code for the
    /// first admin while there is none. Takes `most_connections` at once.
    ///
    /// # Errors
    /// See [`WebError`].
    pub async fn start(
        data: &Path,
        store: &Arc<Store>,
        hotline: &Hotline,
        most_connections: usize,
    ) -> Result<Option<Self>, WebError> {
        let Web {
            listen,
            certificate,
            witnesses,
            ..
        } = &hotline.web;
        let (Some(listen), Some(origin)) = (*listen, hotline.web.origin()) else {
            return Ok(None);
        };
        let source = tls_source(data, listen, &origin, certificate.as_ref());
        let tls = Tls::open(source, Timestamp::now())?;
        let ingest = keys::ingest_key(data, store).await?;
        let options = WebOptions {
            data: Some(data.to_owned()),
            ingest: Some(IngestKeyView {
                id: Id(*ingest.id().as_bytes()),
                key: Blob::from(ingest.signing_key().verifying_key().as_bytes().as_slice()),
            }),
            ..options(&hotline.web, &origin)
        };
        let publisher = Publisher::new(witnesses.clone(), Path::new(SYSTEM_ROOTS))?;
        let signer = keys::log_signer(data, store, &hotline.network.realm).await?;
        let known_by = known_by(signer.key(), witnesses);
        let shared = Arc::new(Shared::open(Arc::clone(store), options, signer).await?);
        web_api::scrub_what_was_left(&shared);
        shared.allow_passkeys(hotline.web.passkeys.allows());
        let router = web_api::service(Arc::clone(&shared));
        let authority = tls.authority_pem().map(|_| tls.fingerprint());
        let ending = tls
            .authority_ends()
            .and_then(|ends| authority::warning(data, ends, Timestamp::now()));
        if let Some(sentence) = ending {
            tracing::warn!("{sentence}");
        }
        match given_flaws(&hotline.web) {
            Ok(flaws) => flaws.iter().for_each(|flaw| tracing::warn!("{flaw}")),
            Err(error) => tracing::warn!(%error, "nothing is known of the panel's certificate"),
        }
        let server = WebServer::bind(listen, tls, router, most_connections).await?;
        if let Some(code) = shared.bootstrap_code().await? {
            invite_first_admin(data, &origin, authority.as_deref(), &code, &known_by);
        }
        tracing::info!(%origin, address = %server.address(), "the panel is served");
        let serving = server.start();
        tokio::spawn(publisher.run(Arc::new(Published(Arc::clone(&shared)))));
        Ok(Some(Self { serving, shared }))
    }

    /// What the panel and the exchange share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Tells the exchange of what the panel changes, and the panel of what the exchange keeps.
    pub fn connect(&self, from_panel: FromPanel, kept: Kept) {
        let news = self.shared.news();
        let checkpoints = self.shared.checkpoints();
        tokio::spawn(tell_of_changes(news, from_panel.clone()));
        tokio::spawn(tell_of_keys(checkpoints, from_panel));
        tokio::spawn(tell_of_calls(kept, Arc::clone(&self.shared)));
    }

    /// Lets requests finish.
    pub async fn drain(self) {
        if !self.serving.drain(DRAIN_LIMIT).await {
            tracing::warn!("some requests to the panel did not finish in time");
        }
    }
}

/// The key log, for those who confirm it.
struct Published(Arc<Shared>);

impl KeyLog for Published {
    fn checkpoints(&self) -> watch::Receiver<Option<SignedCheckpoint>> {
        self.0.checkpoints()
    }

    async fn request(&self, old: u64) -> Option<String> {
        self.0.witness_request(old).await
    }

    async fn keep(&self, size: u64, lines: &str) -> Result<(), String> {
        let kept = self.0.add_cosignatures(size, lines).await;
        kept.map_err(|error| error.to_string())
    }
}

/// Every change to somebody's keys or memberships is entered into the key log in the commit that
/// keeps it.
async fn tell_of_keys(
    mut checkpoints: watch::Receiver<Option<SignedCheckpoint>>,
    from_panel: FromPanel,
) {
    // Requests were served before this.
    from_panel.people_changed();
    while checkpoints.changed().await.is_ok() {
        from_panel.people_changed();
    }
}

async fn tell_of_changes(mut news: News, from_panel: FromPanel) {
    from_panel.bans_changed();
    while let Some(change) = news.next().await {
        match change.map(|(_, topic)| topic) {
            Some(Topic::Bans) => from_panel.bans_changed(),
            // Which volunteer of the file is which person.
            Some(Topic::Members) => from_panel.people_changed(),
            Some(_) => {}
            None => {
                from_panel.bans_changed();
                from_panel.people_changed();
            }
        }
    }
}

async fn tell_of_calls(mut kept: Kept, shared: Arc<Shared>) {
    let topic = |what| match what {
        KeptHere::Call => Topic::Calls,
        KeptHere::Message => Topic::Voicemail,
    };
    while let Some(batch) = kept.recv().await {
        for (hub, what) in batch {
            shared.notify(hub, topic(what));
        }
    }
}

/// What the file says of how the API behaves.
fn options(web: &Web, origin: &str) -> WebOptions {
    let witnesses = web.witnesses.iter();
    WebOptions {
        witnesses: witnesses.map(|one| one.key.to_string()).collect(),
        idle_after: Duration::from_secs(u64::from(web.idle_minutes) * 60),
        unlocked_at_most: Duration::from_secs(u64::from(web.unlocked_hours) * 60 * 60),
        ..WebOptions::new(origin)
    }
}

fn tls_source(
    data: &Path,
    listen: SocketAddr,
    origin: &str,
    certificate: Option<&Certificate>,
) -> TlsSource {
    match certificate {
        Some(Certificate { chain, key }) => TlsSource::Files {
            certificate: chain.clone(),
            key: key.clone(),
        },
        None => TlsSource::Local {
            folder: authority::folder(data),
            names: names(listen, origin),
        },
    }
}

/// What browsers will not like about the certificate that the hotline file names.
///
/// # Errors
/// See [`TlsError`].
pub fn given_flaws(web: &Web) -> Result<Vec<CertificateFlaw>, TlsError> {
    match (&web.certificate, web.origin()) {
        (Some(given), Some(origin)) => {
            certificate_flaws(&given.chain, host(&origin), Timestamp::now())
        }
        _ => Ok(Vec::new()),
    }
}

fn host(origin: &str) -> &str {
    let rest = origin.strip_prefix("https://").unwrap_or(origin);
    match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => rest.split_once(':').map_or(rest, |(host, _)| host),
    }
}

/// By which browsers reach the server: the host that they show, and the address itself.
fn names(listen: SocketAddr, origin: &str) -> Vec<String> {
    let host = host(origin);
    let mut names = vec![host.to_owned()];
    let address = listen.ip().to_string();
    if !listen.ip().is_unspecified() && address != host {
        names.push(address);
    }
    names
}

/// What devices know this server by, as it stands in a link: the key of the key log, then those of
/// its witnesses, a line each.
fn known_by(log: &LogKey, witnesses: &[WitnessAddress]) -> String {
    let mut lines = log.to_string();
    for witness in witnesses {
        lines.push('\n');
        lines.push_str(&witness.key.to_string());
    }
    utf8_percent_encode(&lines, NON_ALPHANUMERIC).to_string()
}

/// The link carries the server's keys past the server: whoever reads them here has them from the
/// machine, not from the page that it serves.
fn invite_first_admin(
    data: &Path,
    origin: &str,
    authority: Option<&str>,
    code: &str,
    known_by: &str,
) {
    say("There is no admin yet. Who opens this link becomes the first one:\n");
    say(format_args!("  {origin}/#begin={code}~{known_by}\n"));
    say(format_args!(
        "It says by which keys this server is known. At {origin} the code alone does as well, and the \
         browser then takes the server's word for its keys; `centralita keys` prints what they should be:\n"
    ));
    say(format_args!("  {code}\n"));
    say("Both are good for one day; the next start prints others.");
    if let Some(fingerprint) = authority {
        say(format_args!(
            "Devices first need the server's authority, {}/tls/authority.pem. Its fingerprint (SHA-256):\n  {fingerprint}\n",
            data.display()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_stay_in_for_as_long_as_the_file_says() {
        let web = Web {
            idle_minutes: 15,
            unlocked_hours: 2,
            ..Web::default()
        };
        let options = options(&web, "https://panel.example");
        assert_eq!(options.idle_after, Duration::from_secs(15 * 60));
        assert_eq!(options.unlocked_at_most, Duration::from_secs(2 * 60 * 60));
    }

    #[test]
    fn the_certificate_is_for_what_browsers_show() {
        let names = |listen: &str, origin| names(listen.parse().unwrap(), origin);
        assert_eq!(
            names("127.0.0.1:8443", "https://127.0.0.1:8443"),
            ["127.0.0.1"]
        );
        assert_eq!(
            names("192.0.2.1:443", "https://panel.example"),
            ["panel.example", "192.0.2.1"]
        );
        assert_eq!(
            names("[::]:8443", "https://[2001:db8::1]:8443"),
            ["2001:db8::1"]
        );
    }
}
