//! The server's own authority, and what it signs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::{TlsError, fingerprint, read};

/// How long the authority is good, in years.
const AUTHORITY_YEARS: i64 = 10;
/// How long what it signs is good, in days.
const LEAF_DAYS: i64 = 30;
/// Clocks of devices may be behind by so much, in days.
const CLOCK_SLACK_DAYS: i64 = 1;

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: CertificateDer<'static>,
    pub(super) pem: String,
    pub(super) ends: Timestamp,
}

impl Authority {
    /// Reads it; makes it where there is none yet.
    pub(super) fn open(folder: &Path, today: Date) -> Result<Self, TlsError> {
        finish_renewal(folder)?;
        if let Some(authority) = Self::existing(folder)? {
            return Ok(authority);
        }
        make(folder, &Files::current(folder), today)?;
        let missing = TlsError::NoAuthority(folder.to_owned());
        Self::existing(folder)?.ok_or(missing)
    }

    /// Reads it and changes nothing.
    pub(super) fn existing(folder: &Path) -> Result<Option<Self>, TlsError> {
        let files = Files::present(folder);
        let half = |missing: &Path, present: &Path| TlsError::HalfAuthority {
            missing: missing.to_owned(),
            present: present.to_owned(),
        };
        match (files.certificate.exists(), files.key.exists()) {
            (true, true) => {}
            (true, false) => return Err(half(&files.key, &files.certificate)),
            (false, true) => return Err(half(&files.certificate, &files.key)),
            (false, false) => return Ok(None),
        }
        let unreadable = |path: &Path, what| TlsError::Unreadable {
            path: path.to_owned(),
            what,
        };
        let no_authority = || unreadable(&files.certificate, "the certificate of an authority");
        let pem = read(&files.certificate)?;
        let key_pem = Zeroizing::new(read(&files.key)?);
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| unreadable(&files.certificate, "a certificate"))?;
        let key = KeyPair::from_pem(&key_pem).map_err(|_| unreadable(&files.key, "a key"))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| no_authority())?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&certificate).map_err(|_| no_authority())?;
        let ends = Timestamp::from_second(parsed.validity().not_after.timestamp())
            .map_err(|_| no_authority())?;
        Ok(Some(Self {
            issuer,
            certificate,
            pem,
            ends,
        }))
    }

    /// Makes the next one in place of this one, whose files are kept beside it; says where.
    ///
    /// Interrupted anywhere, the folder holds one whole authority: this one until the next one's
    /// key takes its place, from then on the next one.
    pub(super) fn renew(&self, folder: &Path, today: Date) -> Result<(Self, Files), TlsError> {
        finish_renewal(folder)?;
        let (files, next) = (Files::current(folder), Files::next(folder));
        next.remove()?;
        make(folder, &next, today)?;
        let kept = Files::replaced(folder, &self.certificate);
        kept.remove()?;
        write_new(&kept.key, &Zeroizing::new(read(&files.key)?))?;
        write_new(&kept.certificate, &self.pem)?;
        rename(&next.key, &files.key)?;
        finish_renewal(folder)?;
        let made = Self::existing(folder)?;
        let made = made.ok_or_else(|| TlsError::NoAuthority(folder.to_owned()))?;
        Ok((made, kept))
    }

    /// A new key and a certificate for it.
    pub(super) fn sign(
        &self,
        names: &[String],
        today: Date,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let mut params = CertificateParams::new(names).map_err(TlsError::Names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Centralita");
        set_validity(
            &mut params,
            today.saturating_sub(CLOCK_SLACK_DAYS.days()),
            today.saturating_add(LEAF_DAYS.days()),
        );
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|_| TlsError::Making(rcgen::Error::CouldNotParseKeyPair))?;
        Ok((chain, key))
    }
}

/// The two files of an authority.
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Files {
    pub(super) fn current(folder: &Path) -> Self {
        Self::named(folder, "authority")
    }

    /// As they are: of a renewal that was interrupted, only the key may be in its place.
    fn present(folder: &Path) -> Self {
        let (files, next) = (Self::current(folder), Self::next(folder));
        if next.certificate.exists() && !next.key.exists() {
            return Self {
                certificate: next.certificate,
                key: files.key,
            };
        }
        files
    }

    /// Where the next one lies until it is whole.
    fn next(folder: &Path) -> Self {
        Self::named(folder, "authority.next")
    }

    /// Where one is kept that was replaced.
    fn replaced(folder: &Path, certificate: &CertificateDer<'_>) -> Self {
        let name: String = fingerprint(certificate).split(':').take(4).collect();
        Self::named(folder, &format!("authority-{name}"))
    }

    fn named(folder: &Path, name: &str) -> Self {
        Self {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        }
    }

    fn remove(&self) -> Result<(), TlsError> {
        for path in [&self.certificate, &self.key] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn finish_renewal(folder: &Path) -> Result<(), TlsError> {
    let (files, present) = (Files::current(folder), Files::present(folder));
    if present.certificate != files.certificate {
        rename(&present.certificate, &files.certificate)?;
    }
    Ok(())
}

/// A certificate without a key is taken for a renewal that was interrupted, so the key is written
/// first.
fn make(folder: &Path, files: &Files, today: Date) -> Result<(), TlsError> {
    let mut params = CertificateParams::new(Vec::new())?;
    // Devices that have two of them list them by name.
    let name = format!("Centralita of this hotline ({})", today.year());
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    set_validity(
        &mut params,
        today.saturating_sub(CLOCK_SLACK_DAYS.days()),
        today.saturating_add(AUTHORITY_YEARS.years()),
    );
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).map_err(failed(folder))?;
    write_new(&files.key, &Zeroizing::new(key.serialize_pem()))?;
    write_new(&files.certificate, &certificate.pem())
}

fn write_new(path: &Path, text: &str) -> Result<(), TlsError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(failed(path))?;
    give_to_owner_of_folder(&file, path).map_err(failed(path))?;
    file.write_all(text.as_bytes()).map_err(failed(path))?;
    file.sync_all().map_err(failed(path))
}

/// Who renews as root must not leave a key that the server cannot read.
fn give_to_owner_of_folder(file: &File, path: &Path) -> io::Result<()> {
    let folder = fs::metadata(path.parent().unwrap_or(Path::new(".")))?;
    if file.metadata()?.uid() == folder.uid() {
        return Ok(());
    }
    fchown(file, Some(folder.uid()), Some(folder.gid()))
}

/// On the disk when it returns, so that two of them are there in this order.
fn rename(from: &Path, to: &Path) -> Result<(), TlsError> {
    fs::rename(from, to).map_err(failed(to))?;
    let folder = to.parent().unwrap_or(Path::new("."));
    let folder = File::open(folder).and_then(|folder| folder.sync_all());
    folder.map_err(failed(to))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> TlsError + '_ {
    |error| TlsError::File {
        path: path.to_owned(),
        error,
    }
}

/// Good from midnight to midnight, in UTC.
fn set_validity(params: &mut CertificateParams, from: Date, until: Date) {
    // Months and days of a date are small and not negative.
    let midnight = |day: Date| {
        let (month, day_of_month) = (day.month().unsigned_abs(), day.day().unsigned_abs());
        date_time_ymd(i32::from(day.year()), month, day_of_month)
    };
    params.not_before = midnight(from);
    params.not_after = midnight(until);
}
