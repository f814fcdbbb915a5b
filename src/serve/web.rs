//! The web server for volunteers and admins, beside the exchange. Calls do not wait for it: what
//! keeps it from running is told, and the exchange goes on without it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use store::Store;
use thiserror::Error;
use web_api::{
    BootstrapError, KeyLogError, ListenError, Serving, Shared, Tls, TlsError, TlsSource,
    WebOptions, WebServer,
};

use super::admin::PeopleChanged;
use crate::hotline::{Certificate, Hotline, Web};
use crate::keys::{self, KeyFileError};

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
    /// first admin while there is none.
    ///
    /// # Errors
    /// See [`WebError`].
    pub async fn start(
        data: &Path,
        store: &Arc<Store>,
        hotline: &Hotline,
    ) -> Result<Option<Self>, WebError> {
        let Web {
            listen,
            certificate,
            ..
        } = &hotline.web;
        let (Some(listen), Some(origin)) = (*listen, hotline.web.origin()) else {
            return Ok(None);
        };
        let source = tls_source(data, listen, &origin, certificate.as_ref());
        let tls = Tls::open(source, Timestamp::now())?;
        let options = WebOptions {
            data: Some(data.to_owned()),
            ..WebOptions::new(origin.clone())
        };
        let signer = keys::log_signer(data, &hotline.network.realm)?;
        let shared = Arc::new(Shared::open(Arc::clone(store), options, signer).await?);
        let router = web_api::service(Arc::clone(&shared));
        let authority = tls.authority_pem().map(|_| tls.fingerprint());
        let server = WebServer::bind(listen, tls, router).await?;
        if let Some(code) = shared.bootstrap_code().await? {
            invite_first_admin(data, &origin, authority.as_deref(), &code);
        }
        tracing::info!(%origin, address = %server.address(), "the panel is served");
        let serving = server.start();
        Ok(Some(Self { serving, shared }))
    }

    /// Tells `people` of every change to somebody's keys or memberships: each is entered into
    /// the key log in the commit that keeps it.
    pub fn tell(&self, people: PeopleChanged) {
        let mut checkpoints = self.shared.checkpoints();
        tokio::spawn(async move {
            // Requests were served before this.
            people.tell();
            while checkpoints.changed().await.is_ok() {
                people.tell();
            }
        });
    }

    /// Lets requests finish.
    pub async fn drain(self) {
        if !self.serving.drain(DRAIN_LIMIT).await {
            tracing::warn!("some requests to the panel did not finish in time");
        }
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
            folder: data.join("tls"),
            names: names(listen, origin),
        },
    }
}

/// By which browsers reach the server: the host that they show, and the address itself.
fn names(listen: SocketAddr, origin: &str) -> Vec<String> {
    let rest = origin.strip_prefix("https://").unwrap_or(origin);
    let host = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => rest.split_once(':').map_or(rest, |(host, _)| host),
    };
    let mut names = vec![host.to_owned()];
    let address = listen.ip().to_string();
    if !listen.ip().is_unspecified() && address != host {
        names.push(address);
    }
    names
}

#[expect(
    clippy::print_stdout,
    reason = "the code is for whoever starts the server, and for no log"
)]
fn invite_first_admin(data: &Path, origin: &str, authority: Option<&str>, code: &str) {
    println!("There is no admin yet. Who opens {origin} with this code becomes the first one:\n");
    println!("  {code}\n");
    println!("It is good for one day; the next start prints another one.");
    if let Some(fingerprint) = authority {
        println!(
            "Devices first need the server's authority, {}/tls/authority.pem. Its fingerprint (SHA-256):\n  {fingerprint}\n",
            data.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
