use super::*;

fn folder(name: &str) -> std::path::PathBuf {
    let name = format!("centralita-doctor-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&path);
    path
}

async fn examined(data: &Path) -> Vec<Finding> {
    examine(data, DataFolder::find(data, None)).await
}

fn worst(findings: &[Finding], about: &str) -> Option<Verdict> {
    let about = findings.iter().filter(|f| f.sentence.contains(about));
    about.map(|finding| finding.verdict).max()
}

#[tokio::test]
async fn a_new_machine_is_told_what_to_do_first() {
    let data = folder("new");
    let findings = examined(&data).await;
    assert_eq!(worst(&findings, "centralita apply"), Some(Verdict::Warn));
    assert_eq!(worst(&findings, "install -d -m 700"), Some(Verdict::Warn));
    assert!(!data.exists());
}

#[tokio::test]
async fn a_damaged_database_and_an_exposed_key_fail() {
    use std::os::unix::fs::PermissionsExt;
    let data = folder("damaged");
    let store = store::Store::open(&data).await.unwrap();
    crate::keys::caller_id_key(&data, &store).await.unwrap();
    store.close().await;
    let findings = examined(&data).await;
    assert_eq!(worst(&findings, "is sound"), Some(Verdict::Ok));
    assert_eq!(worst(&findings, "for its owner only"), Some(Verdict::Ok));
    assert_eq!(
        worst(&findings, "ms for a write").map(|v| v < Verdict::Fail),
        Some(true)
    );

    let exposed = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(data.join("caller-id.key"), exposed).unwrap();
    std::fs::write(data.join("centralita.db"), "no database".repeat(1_000)).unwrap();
    let findings = examined(&data).await;
    assert_eq!(worst(&findings, "restore a backup"), Some(Verdict::Fail));
    assert_eq!(worst(&findings, "chmod 600"), Some(Verdict::Fail));
    assert_eq!(worst(&findings, "no hotline file is applied"), None);
    let left = std::fs::read_dir(&data).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().starts_with("doctor-"))
    );
    std::fs::remove_dir_all(data).unwrap();
}

#[tokio::test]
async fn a_database_server_that_is_not_there_is_told_without_its_password() {
    let data = folder("elsewhere");
    std::fs::create_dir_all(&data).unwrap();
    // Nobody listens on the discard port.
    let url = "postgres://hotline:s3cret@127.0.0.1:9/hotline";
    let findings = examine(&data, DataFolder::find(&data, Some(url))).await;
    assert_eq!(worst(&findings, "127.0.0.1:9"), Some(Verdict::Fail));
    assert_eq!(worst(&findings, "s3cret"), None);

    drop(crate::database::open(&data).await.unwrap());
    let findings = examine(&data, DataFolder::find(&data, Some(url))).await;
    assert_eq!(
        worst(&findings, "keeps its rows in itself"),
        Some(Verdict::Fail)
    );
    std::fs::remove_dir_all(data).unwrap();
}
