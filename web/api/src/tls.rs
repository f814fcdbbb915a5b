//! TLS 1.3 and nothing older (SEC-01): with a certificate of the server's own making, or a given
//! one.
//!
//! Who has no name on the Internet cannot get a certificate from anybody: the server then is its
//! own authority. The authority is made for ten years and installed on the devices of the hotline;
//! what the server shows is signed by it, short-lived, made anew at each start, and never on a
//! disk.

mod authority;
mod given;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use authority::{Authority, Files};

pub use given::{CertificateFlaw, certificate_flaws};

/// When a running server makes the next one, in days.
const LEAF_RENEWED_AFTER_DAYS: i32 = 10;

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSource {
    /// An authority of the server's own, kept in a folder, and certificates by it.
    Local {
        /// The folder; it is made when it is missing, readable by its owner only.
        folder: PathBuf,
        /// Host names and addresses by which browsers reach the server.
        names: Vec<String>,
    },
    /// Files in PEM that somebody else keeps up to date; they are read anew every hour.
    Files {
        /// The certificate, then those between it and its authority.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("cannot use {}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} does not hold {what}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// One of the two files of the authority is missing.
    #[error("{} is missing. Put it back, or remove {} to make a new authority; every device then needs that one", .missing.display(), .present.display())]
    HalfAuthority {
        /// What is missing.
        missing: PathBuf,
        /// What is there.
        present: PathBuf,
    },
    /// There is no authority to renew.
    #[error("there is no authority in {}: `centralita serve` makes one at its first start, unless the hotline file names a certificate", .0.display())]
    NoAuthority(PathBuf),
    /// A name is neither a host name nor an address.
    #[error("no certificate can be made for these names ({0})")]
    Names(rcgen::Error),
    /// A certificate cannot be made.
    #[error("a certificate cannot be made ({0})")]
    Making(#[from] rcgen::Error),
    /// Certificate and key do not go together, or are of an unknown kind.
    #[error("the certificate cannot be used ({0})")]
    Refused(#[from] rustls::Error),
}

/// The certificate that the server shows, and how it is renewed.
pub struct Tls {
    source: Source,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
    provider: Arc<CryptoProvider>,
}

enum Source {
    Local {
        authority: Box<Authority>,
        names: Vec<String>,
    },
    Files {
        certificate: PathBuf,
        key: PathBuf,
    },
}

impl Tls {
    /// Reads or makes what is needed, at `now`.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn open(source: TlsSource, now: Timestamp) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let today = day_of(now);
        let source = match source {
            TlsSource::Local { folder, names } => Source::Local {
                authority: Box::new(Authority::open(&folder, today)?),
                names,
            },
            TlsSource::Files { certificate, key } => Source::Files { certificate, key },
        };
        let shown = source.certificate(&provider, today)?;
        let current = Arc::new(Current(RwLock::new(Shown { shown, today })));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            source,
            current,
            config: Arc::new(config),
            provider,
        })
    }

    /// SHA-256 of the authority that devices are to install, or of the given certificate, as
    /// browsers show it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match &self.source {
            Source::Local { authority, .. } => fingerprint(&authority.certificate),
            Source::Files { .. } => {
                let current = self
                    .current
                    .0
                    .read()
                    .unwrap_or_else(PoisonError::into_inner);
                current
                    .shown
                    .end_entity_cert()
                    .map(fingerprint)
                    .unwrap_or_default()
            }
        }
    }

    /// The authority that devices are to install, in PEM; `None` with given files.
    #[must_use]
    pub fn authority_pem(&self) -> Option<&str> {
        match &self.source {
            Source::Local { authority, .. } => Some(&authority.pem),
            Source::Files { .. } => None,
        }
    }

    /// When the authority ends, after which devices refuse what it signs; `None` with given files.
    #[must_use]
    pub fn authority_ends(&self) -> Option<Timestamp> {
        match &self.source {
            Source::Local { authority, .. } => Some(authority.ends),
            Source::Files { .. } => None,
        }
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Renews what is shown from now on, where that is due.
    pub(crate) fn renew(&self, now: Timestamp) -> Result<(), TlsError> {
        let today = day_of(now);
        let made = self
            .current
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .today;
        let due = match self.source {
            // Also when the clock was wrong at the start, and is right now.
            Source::Local { .. } => (today - made).get_days().abs() >= LEAF_RENEWED_AFTER_DAYS,
            Source::Files { .. } => true,
        };
        if due {
            let shown = self.source.certificate(&self.provider, today)?;
            let mut current = self
                .current
                .0
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            *current = Shown { shown, today };
        }
        Ok(())
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({})", self.fingerprint())
    }
}

impl Source {
    fn certificate(
        &self,
        provider: &CryptoProvider,
        today: Date,
    ) -> Result<Arc<CertifiedKey>, TlsError> {
        let (chain, key) = match self {
            Self::Local { authority, names } => authority.sign(names, today)?,
            Self::Files { certificate, key } => (read_chain(certificate)?, read_key(key)?),
        };
        Ok(Arc::new(CertifiedKey::from_der(chain, key, provider)?))
    }
}

/// The authority in a folder, as devices are to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAuthority {
    /// Its certificate, for the devices.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// SHA-256, as devices show it.
    pub fingerprint: String,
    /// When it ends, after which devices refuse what it signs.
    pub ends: Timestamp,
}

impl LocalAuthority {
    /// Reads it.
    ///
    /// # Errors
    /// See [`TlsError`]; [`TlsError::NoAuthority`] where the server has not made it yet.
    pub fn read(folder: &Path) -> Result<Self, TlsError> {
        let authority = Self::existing(folder)?;
        Ok(Self::of(&authority, Files::current(folder)))
    }

    /// Makes the next one, good for ten years from `now` on; gives it and the old one, which is
    /// kept under another name. A running server goes on with the old one until it is started
    /// again, so that devices can learn of the next one before.
    ///
    /// # Errors
    /// As of [`LocalAuthority::read`].
    pub fn renew(folder: &Path, now: Timestamp) -> Result<(Self, Self), TlsError> {
        let old = Self::existing(folder)?;
        let (next, kept) = old.renew(folder, day_of(now))?;
        let next = Self::of(&next, Files::current(folder));
        Ok((next, Self::of(&old, kept)))
    }

    fn existing(folder: &Path) -> Result<Authority, TlsError> {
        let missing = || TlsError::NoAuthority(folder.to_owned());
        Authority::existing(folder)?.ok_or_else(missing)
    }

    fn of(authority: &Authority, files: Files) -> Self {
        let Files { certificate, key } = files;
        Self {
            certificate,
            key,
            fingerprint: fingerprint(&authority.certificate),
            ends: authority.ends,
        }
    }
}

/// What is shown now.
#[derive(Debug)]
struct Current(RwLock<Shown>);

#[derive(Debug)]
struct Shown {
    shown: Arc<CertifiedKey>,
    /// When it was made or read.
    today: Date,
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current.shown))
    }
}

fn read(path: &Path) -> Result<String, TlsError> {
    fs::read_to_string(path).map_err(|error| TlsError::File {
        path: path.to_owned(),
        error,
    })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(TlsError::Unreadable {
            path: path.to_owned(),
            what: "certificates in PEM",
        }),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = Zeroizing::new(read(path)?);
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Unreadable {
        path: path.to_owned(),
        what: "a key in PEM",
    })
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let hash = Sha256::digest(certificate);
    let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn day_of(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}
