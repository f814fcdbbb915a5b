//! Who may depend on whom, what a pure crate may pull in, what is below the cryptography, and under
//! which licences; and that the panel reads through scopes.

mod lean;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Our crates and which of ours each may depend on in its shipped form.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("routing", &[]),
    ("crypto", &[]),
    (
        "crypto-ffi",
        &["crypto", "crypto-keystore", "crypto-session"],
    ),
    // Never in the server or in browsers, which have no key store that it could reach.
    ("crypto-keystore", &["crypto"]),
    ("crypto-mls", &["crypto"]),
    ("crypto-session", &["crypto"]),
    ("crypto-wasm", &["crypto", "crypto-session"]),
    ("media", &[]),
    ("sip", &[]),
    ("store", &[]),
    ("protocol", &[]),
    ("web-api", &["crypto", "protocol", "store"]),
    ("telephony", &["routing", "media"]),
    ("exchange", &["routing", "sip", "media", "telephony"]),
    ("engine", &["media"]),
    ("phone", &["sip", "media"]),
    ("sim", &["routing", "sip", "media", "telephony", "exchange"]),
    ("e2e", &["crypto", "media", "phone", "sip"]),
    ("life", &["crypto", "crypto-session", "protocol"]),
    ("postgres-for-tests", &[]),
    ("xtask", &[]),
    (
        "centralita",
        &[
            "crypto",
            "engine",
            "exchange",
            "media",
            "phone",
            "protocol",
            "routing",
            "sip",
            "store",
            "telephony",
            "web-api",
        ],
    ),
];

/// Crates without sockets, clocks, randomness or a runtime.
const PURE: &[&str] = &["routing", "sip", "media", "telephony", "exchange"];

/// What a pure crate must not name in its manifest.
const IMPURE: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "getrandom",
    "rand",
    "libc",
    "async-std",
    "smol",
    "sqlx",
    "axum",
];

/// The panel's code.
const PANEL: &str = "web/api/src";

/// How the store calls the view of all hubs at once.
const ALL_HUBS: &str = "unscoped";

/// Where the panel's code may read all hubs at once, because nobody has asked: the server itself
/// acts. No file with handlers is among them.
const PANEL_ITSELF: &[(&str, &str)] = &[
    (
        "web/api/src/heads.rs",
        "the server enters the heads of all trails into the key log",
    ),
    (
        "web/api/src/keylog.rs",
        "the server loads the public log that it goes on with",
    ),
];

/// Runs every check.
pub fn run() -> Result<(), String> {
    let metadata = metadata()?;
    let mut problems = Vec::new();
    directions(&metadata, &mut problems);
    lean::check(&metadata, &mut problems);
    licences(&metadata, &mut problems)?;
    scopes(Path::new("."), PANEL_ITSELF, &mut problems)?;
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

fn metadata() -> Result<Value, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

fn directions(metadata: &Value, problems: &mut Vec<String>) {
    let allowed: BTreeMap<&str, &[&str]> = DIRECTIONS.iter().copied().collect();
    let members: BTreeSet<&str> = strings(&metadata["workspace_members"]).collect();
    let packages: Vec<&Value> = array(&metadata["packages"])
        .filter(|package| members.contains(text(&package["id"])))
        .collect();
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| text(&package["name"]))
        .collect();
    for package in packages {
        let name = text(&package["name"]);
        let Some(may) = allowed.get(name) else {
            problems.push(format!(
                "{name}: a new crate; say in xtask/src/check.rs which of ours it may depend on"
            ));
            continue;
        };
        for dependency in array(&package["dependencies"]) {
            // Tests may look at anything.
            if dependency["kind"] == "dev" {
                continue;
            }
            let on = text(&dependency["name"]);
            if ours.contains(on) && !may.contains(&on) {
                problems.push(format!(
                    "{name} must not depend on {on} (docs/ARCHITECTURE.md)"
                ));
            }
            if PURE.contains(&name) && IMPURE.contains(&on) {
                problems.push(format!("{name} is pure: it must not depend on {on}"));
            }
        }
    }
}

fn licences(metadata: &Value, problems: &mut Vec<String>) -> Result<(), String> {
    let deny =
        std::fs::read_to_string("deny.toml").map_err(|error| format!("deny.toml: {error}"))?;
    let list = deny
        .split_once("allow = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(list, _)| list)
        .ok_or("deny.toml: no list of allowed licences")?;
    let allowed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    for package in array(&metadata["packages"]) {
        let expression = text(&package["license"]).replace('/', " OR ");
        if !satisfied(&expression, &allowed) {
            problems.push(format!(
                "{}: licence \"{expression}\" is not in deny.toml",
                text(&package["name"])
            ));
        }
    }
    Ok(())
}

/// Whether an SPDX expression can be satisfied by allowed licences; `AND` binds tighter than `OR`.
fn satisfied(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let flat = expression.replace(['(', ')'], "");
    flat.split(" OR ").any(|choice| {
        choice.split(" AND ").all(|licence| {
            let licence = licence.split(" WITH ").next().unwrap_or_default().trim();
            allowed.contains(licence)
        })
    })
}

/// That the panel's code names the view of all hubs at once only in `allowed` files.
fn scopes(root: &Path, allowed: &[(&str, &str)], problems: &mut Vec<String>) -> Result<(), String> {
    let mut naming = BTreeSet::new();
    let mut folders = vec![PathBuf::from(PANEL)];
    while let Some(folder) = folders.pop() {
        let failed = |error| format!("{}: {error}", folder.display());
        for entry in std::fs::read_dir(root.join(&folder)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = folder.join(entry.file_name());
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).map_err(failed)?;
            if text.to_lowercase().contains(ALL_HUBS) {
                naming.insert(path.to_string_lossy().into_owned());
            }
        }
    }
    for file in &naming {
        if !allowed.iter().any(|(name, _)| name == file) {
            problems.push(format!(
                "{file} reads all hubs at once: what people ask for goes through store::Scoped"
            ));
        }
    }
    for (file, reason) in allowed {
        if !naming.contains(*file) {
            problems.push(format!(
                "{file} no longer reads all hubs at once ({reason}): take it from the list in \
                 xtask/src/check.rs"
            ));
        }
    }
    Ok(())
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    array(value).map(text)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_panel_reads_all_hubs_only_where_it_says_why() {
        let root = std::env::temp_dir().join(format!("centralita-scopes-{}", std::process::id()));
        let endpoints = root.join(PANEL).join("endpoints");
        std::fs::create_dir_all(&endpoints).unwrap();
        std::fs::write(root.join(PANEL).join("heads.rs"), "store.unscoped().hubs()").unwrap();
        std::fs::write(endpoints.join("call.rs"), "scope.calls()").unwrap();
        let found = |allowed: &[(&str, &str)]| {
            let mut problems = Vec::new();
            scopes(&root, allowed, &mut problems).unwrap();
            problems
        };
        let heads = ("web/api/src/heads.rs", "the server itself");
        assert_eq!(found(&[heads]), [""; 0]);
        assert!(found(&[])[0].starts_with("web/api/src/heads.rs reads all hubs"));
        std::fs::write(endpoints.join("call.rs"), "use store::Unscoped;").unwrap();
        assert!(found(&[heads])[0].starts_with("web/api/src/endpoints/call.rs reads"));
        let stale = ("web/api/src/endpoints/ban.rs", "once");
        assert!(found(&[heads, stale])[1].contains("no longer"));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_choice_needs_one_allowed_side_and_a_sum_needs_all() {
        let allowed = BTreeSet::from(["MIT", "Unicode-3.0"]);
        assert!(satisfied("Apache-2.0 OR MIT", &allowed));
        assert!(satisfied("(MIT OR Apache-2.0) AND Unicode-3.0", &allowed));
        assert!(!satisfied("MIT AND GPL-2.0", &allowed));
        assert!(!satisfied("", &allowed));
    }
}
