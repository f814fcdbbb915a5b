//! The data folder: database, keys, space, speed.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use store::{Reader, StoreError};
use web_api::{LocalAuthority, TlsError};

use super::Finding;
use crate::authority;
use crate::database::{DataFolder, DatabaseError};
use crate::hotline::{Hotline, Web};
use crate::keys::{self, KeyFile, KeyFileError};
use crate::serve::given_flaws;

/// Below this much free space messages soon cannot be kept.
const MIN_FREE_KIB: u64 = 200 * 1024;
/// Below this much, somebody should look after it.
const SCANT_FREE_KIB: u64 = 2 * 1024 * 1024;
/// Writes that are waited for, as the records of calls are.
const SYNCED_WRITES: u32 = 8;
/// One that takes longer holds up the records of a busy hotline.
const SLOW_WRITE: Duration = Duration::from_millis(100);
/// The oldest major version of PostgreSQL that the tests run on.
const OLDEST_POSTGRES: u32 = 15;

/// What the database says about the hotline.
pub(super) enum Applied {
    /// This one is in force.
    Hotline(Box<Hotline>),
    /// None yet.
    Nothing,
    /// The database cannot tell; a finding says why.
    Unknown,
}

/// Checks the database; returns what is applied.
pub(super) async fn database(
    found: Result<DataFolder, DatabaseError>,
    findings: &mut Vec<Finding>,
) -> Applied {
    let found = found.and_then(|folder| folder.check_whole().map(|()| folder));
    let (data, opened) = match &found {
        Ok(folder) => (folder.path(), folder.reader().await),
        Err(error) => {
            findings.push(Finding::fail(error.to_string()));
            return Applied::Unknown;
        }
    };
    let reader = match opened {
        Ok(reader) => reader,
        Err(StoreError::Missing { place }) => {
            findings.push(Finding::ok(format!(
                "no database yet in {place}; the first start makes it"
            )));
            return Applied::Nothing;
        }
        Err(error) => {
            findings.push(Finding::fail(error.to_string()));
            return Applied::Unknown;
        }
    };
    findings.extend(version(&reader).await);
    if let Err(error) = reader.check_integrity().await {
        findings.push(Finding::fail(error.to_string()));
        return Applied::Unknown;
    }
    findings.push(Finding::ok(format!(
        "the database {} is sound",
        reader.path().display()
    )));
    findings.extend(lost_keys(data, &reader).await);
    let row = match reader.unscoped().hotline().await {
        Ok(Some(row)) => row,
        Ok(None) => return Applied::Nothing,
        Err(error) => {
            findings.push(Finding::fail(error.to_string()));
            return Applied::Unknown;
        }
    };
    match Hotline::from_canonical(&row.body) {
        Ok(hotline) => Applied::Hotline(Box::new(hotline)),
        Err(error) => {
            findings.push(Finding::fail(format!(
                "the applied hotline cannot be read ({error}). Apply the hotline file again"
            )));
            Applied::Unknown
        }
    }
}

/// Keys with which something was written, and that are away. Of those that cannot be read, the
/// checks of the folder and the start tell.
async fn lost_keys(data: &Path, reader: &Reader) -> Vec<Finding> {
    let mut findings = Vec::new();
    for which in KeyFile::ALL {
        let checked = keys::check(which, data, reader).await;
        if let Err(error @ (KeyFileError::Missing { .. } | KeyFileError::Another { .. })) = checked
        {
            findings.push(Finding::fail(error.to_string()));
        }
    }
    findings
}

/// A server of another age than those of the tests is told; SQLite is built in.
async fn version(reader: &Reader) -> Option<Finding> {
    let version = match reader.engine_version().await {
        Ok(version) => version,
        Err(error) => return Some(Finding::fail(error.to_string())),
    };
    let of_postgres = version.strip_prefix("PostgreSQL ")?;
    let major = of_postgres.split(['.', ' ']).next()?.parse::<u32>().ok();
    Some(match major {
        Some(OLDEST_POSTGRES..) => Finding::ok(format!("the database is kept by {version}")),
        _ => Finding::warn(format!(
            "the database is kept by {version}; centralita is tested with PostgreSQL \
             {OLDEST_POSTGRES} and newer. Bring it up to date"
        )),
    })
}

/// Checks the folder itself.
pub(super) fn folder(data: &Path) -> Vec<Finding> {
    if !data.exists() {
        return vec![Finding::warn(format!(
            "the data folder {0} does not exist. Make it, owned by the user that runs centralita: `install -d -m 700 {0}`",
            data.display()
        ))];
    }
    let mut findings = vec![space(data), write_speed(data)];
    findings.extend(key(data));
    findings.extend(panel_authority(data));
    findings
}

/// Nothing where there is none: the panel is off, not yet started, or has a given certificate.
fn panel_authority(data: &Path) -> Option<Finding> {
    let found = match LocalAuthority::read(&authority::folder(data)) {
        Ok(found) => found,
        Err(TlsError::NoAuthority(_)) => return None,
        Err(error) => return Some(Finding::fail(error.to_string())),
    };
    let warning = authority::warning(data, found.ends, Timestamp::now());
    Some(warning.map_or_else(
        || {
            let day = authority::day(found.ends);
            Finding::ok(format!("the panel's authority is good until {day}"))
        },
        Finding::warn,
    ))
}

/// What browsers refuse, or soon will, about a certificate that the hotline file names.
pub(super) fn given_certificate(web: &Web) -> Vec<Finding> {
    match given_flaws(web) {
        Ok(flaws) => {
            let sentences = flaws.into_iter().map(|flaw| flaw.to_string());
            sentences.map(Finding::warn).collect()
        }
        Err(error) => vec![Finding::fail(error.to_string())],
    }
}

/// Nothing where there is none: whether it should be there is for the database to say.
fn key(data: &Path) -> Option<Finding> {
    Some(match keys::existing_caller_id_key(data) {
        Ok(Some(_)) => Finding::ok("the key for callers' numbers is there, and for its owner only"),
        Ok(None) => return None,
        Err(error) => Finding::fail(error.to_string()),
    })
}

fn space(data: &Path) -> Finding {
    let Some(free) = free_kib(data) else {
        return Finding::warn(format!(
            "the free space of {} cannot be told. Look with `df -h`",
            data.display()
        ));
    };
    let mib = free / 1024;
    let place = data.display();
    if free < MIN_FREE_KIB {
        Finding::fail(format!(
            "{mib} MiB are free for {place}; messages need more. Free some space"
        ))
    } else if free < SCANT_FREE_KIB {
        Finding::warn(format!(
            "{mib} MiB are free for {place}. An hour of messages takes about 120 MiB; make room in time"
        ))
    } else {
        Finding::ok(format!("{mib} MiB are free for {place}"))
    }
}

/// What `df` of POSIX says: the fourth column of the second line.
fn free_kib(path: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(path).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

fn write_speed(data: &Path) -> Finding {
    let path = data.join(format!("doctor-{}.tmp", std::process::id()));
    let measured = synced_write(&path);
    // If it cannot be deleted, it could not be made either, which is reported.
    let _ = std::fs::remove_file(&path);
    match measured {
        Ok(time) if time > SLOW_WRITE => Finding::warn(format!(
            "the disk of {} takes {} ms for a write; records of calls will lag. Use a faster disk",
            data.display(),
            time.as_millis()
        )),
        Ok(time) => Finding::ok(format!(
            "the disk of {} takes {:.1} ms for a write",
            data.display(),
            time.as_secs_f64() * 1_000.0
        )),
        Err(error) if error.kind() == ErrorKind::StorageFull => Finding::fail(format!(
            "the disk of {} is full. Free some space",
            data.display()
        )),
        Err(error) => Finding::fail(format!(
            "{} cannot be written: {error}. Give it to the user that runs centralita",
            data.display()
        )),
    }
}

/// The mean time of a write that is waited for.
fn synced_write(path: &Path) -> std::io::Result<Duration> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let begin = Instant::now();
    for _ in 0..SYNCED_WRITES {
        file.write_all(&[0; 4_096])?;
        file.sync_data()?;
    }
    Ok(begin.elapsed() / SYNCED_WRITES)
}
