//! The server's own authority, and what it signs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use jiff::ToSpan;
use jiff::civil::Date;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::{TlsError, read};

/// How long the authority is good, in years.
const AUTHORITY_YEARS: i64 = 10;
/// How long what it signs is good, in days.
const LEAF_DAYS: i64 = 30;
/// Clocks of devices may be behind by so much, in days.
const CLOCK_SLACK_DAYS: i64 = 1;
const AUTHORITY_FILE: &str = "authority.pem";
const AUTHORITY_KEY_FILE: &str = "authority.key";

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: CertificateDer<'static>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn open(folder: &Path, today: Date) -> Result<Self, TlsError> {
        let (path, key_path) = (folder.join(AUTHORITY_FILE), folder.join(AUTHORITY_KEY_FILE));
        let half = |missing: &Path, present: &Path| TlsError::HalfAuthority {
            missing: missing.to_owned(),
            present: present.to_owned(),
        };
        match (path.exists(), key_path.exists()) {
            (true, true) => {}
            (true, false) => return Err(half(&key_path, &path)),
            (false, true) => return Err(half(&path, &key_path)),
            (false, false) => make_authority(folder, &path, &key_path, today)?,
        }
        let pem = read(&path)?;
        let key_pem = Zeroizing::new(read(&key_path)?);
        let unreadable = |path: &Path, what| TlsError::Unreadable {
            path: path.to_owned(),
            what,
        };
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| unreadable(&path, "a certificate"))?;
        let key = KeyPair::from_pem(&key_pem).map_err(|_| unreadable(&key_path, "a key"))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|_| unreadable(&path, "the certificate of an authority"))?;
        Ok(Self {
            issuer,
            certificate,
            pem,
        })
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

fn make_authority(
    folder: &Path,
    path: &Path,
    key_path: &Path,
    today: Date,
) -> Result<(), TlsError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Centralita of this hotline");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    set_validity(
        &mut params,
        today.saturating_sub(CLOCK_SLACK_DAYS.days()),
        today.saturating_add(AUTHORITY_YEARS.years()),
    );
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let failed = |error| TlsError::File {
        path: folder.to_owned(),
        error,
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).map_err(failed)?;
    write_new(key_path, &Zeroizing::new(key.serialize_pem()))?;
    write_new(path, &certificate.pem())
}

fn write_new(path: &Path, text: &str) -> Result<(), TlsError> {
    let failed = |error| TlsError::File {
        path: path.to_owned(),
        error,
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
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
