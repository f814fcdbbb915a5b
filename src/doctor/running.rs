//! What a running server says about itself.

use std::path::Path;
use std::time::Duration;

use super::Finding;
use crate::control::{self, Request, Response, Status, TrunkDown};

/// A server that is well answers in a moment.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server that has the data folder `data`.
pub(super) async fn check(data: &Path, findings: &mut Vec<Finding>) {
    let asked = tokio::time::timeout(PATIENCE, control::request(data, &Request::Status)).await;
    match asked {
        Ok(Ok(Some(Response::Status(status)))) => findings.extend(judge(&status)),
        // It has the folder and does not listen yet, or no longer.
        Ok(Ok(None)) => findings.push(Finding::warn(
            "the server is just starting or stopping. Run this again in a moment",
        )),
        Ok(Ok(Some(_))) => findings.push(Finding::warn(
            "the server does not tell its state. Use the `centralita` of the same version",
        )),
        Ok(Err(error)) => findings.push(Finding::fail(format!(
            "the server cannot be asked: {error}. Run this as the user that runs centralita"
        ))),
        Err(_) => findings.push(Finding::fail(
            "the server does not answer. Look into its log, and start it again",
        )),
    }
}

fn judge(status: &Status) -> Vec<Finding> {
    let mut findings: Vec<Finding> = status
        .trunks
        .iter()
        .filter_map(|trunk| Some(unregistered(&trunk.name, trunk.down.as_ref()?)))
        .collect();
    let registered = status.trunks.iter().filter(|t| t.state == "registered");
    let registered: Vec<&str> = registered.map(|trunk| trunk.name.as_str()).collect();
    if !registered.is_empty() {
        let names = registered.join(", ");
        findings.push(Finding::ok(format!("registered at its carrier: {names}")));
    }
    if !status.database_ok {
        findings.push(Finding::fail(
            "the server cannot write its database: records of calls wait in memory. \
             Look at the space and the rights of the data folder, or whether the database server runs",
        ));
    }
    for problem in &status.audit_problems {
        findings.push(Finding::fail(format!(
            "{problem}. Run `centralita audit verify`, compare with a backup, and ask who could; calls go on meanwhile"
        )));
    }
    if let Some(problem) = &status.panel_problem {
        findings.push(Finding::fail(format!(
            "the panel is not served: {problem}. Start the server again once that is mended; calls go on meanwhile"
        )));
    }
    findings
}

fn unregistered(trunk: &str, down: &TrunkDown) -> Finding {
    let since = since(down.for_s);
    let (why, advice) = match down.answer {
        Some(answer @ (401 | 403 | 407)) => (
            format!("the carrier refuses its user name or password (answer {answer})"),
            "Correct them in the hotline file and apply it",
        ),
        Some(404) => (
            "the carrier does not know its user name (answer 404)".to_owned(),
            "Correct it in the hotline file and apply it",
        ),
        Some(answer) => (
            format!("the carrier answers {answer}"),
            "Ask the carrier what is wrong; calls through it may not come in meanwhile",
        ),
        None => (
            "the carrier does not answer".to_owned(),
            "Check the trunk's host, port and transport in the hotline file, the name server \
             and the firewall",
        ),
    };
    Finding::fail(format!(
        "the trunk {trunk} is not registered, {since}: {why}. {advice}"
    ))
}

fn since(seconds: u64) -> String {
    match seconds {
        0..120 => format!("for {seconds} s"),
        120..7_200 => format!("for {} min", seconds / 60),
        _ => format!("for {} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::TrunkStatus;
    use crate::doctor::Verdict;

    fn trunk(name: &str, state: &str, down: Option<TrunkDown>) -> TrunkStatus {
        TrunkStatus {
            name: name.into(),
            state: state.into(),
            down,
        }
    }

    #[test]
    fn an_unregistered_trunk_and_a_closed_database_fail_with_their_reason() {
        let refused = TrunkDown {
            for_s: 720,
            answer: Some(403),
        };
        let silent = TrunkDown {
            for_s: 8_000,
            answer: None,
        };
        let status = Status {
            trunks: vec![
                trunk("first", "registered", None),
                trunk("fixed", "by address", None),
                trunk("second", "not registered", Some(refused)),
                trunk("third", "not registered", Some(silent)),
            ],
            database_ok: false,
            panel_problem: Some("port 8443 is taken".into()),
            audit_problems: vec!["the audit trail of hub norte: entry 3 was changed".into()],
            ..Status::default()
        };
        let findings = judge(&status);
        let said = |verdict, words: &[&str]| {
            findings.iter().any(|finding| {
                finding.verdict == verdict
                    && words.iter().all(|word| finding.sentence.contains(word))
            })
        };
        assert!(said(
            Verdict::Fail,
            &["second", "for 12 min", "password (answer 403)", "apply it"]
        ));
        assert!(said(Verdict::Fail, &["third", "for 2 h", "firewall"]));
        assert!(said(Verdict::Fail, &["cannot write its database"]));
        assert!(said(
            Verdict::Fail,
            &["hub norte: entry 3", "audit verify`", "calls go on"]
        ));
        assert!(said(Verdict::Fail, &["the panel", "port 8443 is taken"]));
        assert!(said(Verdict::Ok, &["registered at its carrier: first"]));
        assert!(!findings.iter().any(|f| f.sentence.contains("fixed")));
    }
}
