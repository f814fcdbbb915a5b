//! Files that cannot be read, or hold something else than they should.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use e2e::hotline::Hotline;
use e2e::net::Net;
use e2e::server::{Server, sentence};

fn prepared() -> Server {
    Server::prepared(&Hotline::new(Net::new(), &["v01"]))
}

/// What a command says that finds a file which it has no right to.
fn said_without_right(server: &Server, file: &Path, arguments: &[&str]) -> String {
    let rights = file.metadata().unwrap().permissions();
    std::fs::set_permissions(file, Permissions::from_mode(0o0)).unwrap();
    let said = sentence(&server.cli_bound_by_rights(arguments));
    std::fs::set_permissions(file, rights).unwrap();
    println!("{arguments:?}: {said}");
    said
}

#[track_caller]
fn assert_says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

#[test]
fn a_hotline_file_that_cannot_be_read_is_told() {
    let server = prepared();
    let file = server.folder().join("hotline.toml");
    let apply = ["apply", file.to_str().unwrap()];
    let said = said_without_right(&server, &file, &apply);
    assert_says(
        &said,
        &["hotline.toml", "cannot be read", "Permission denied"],
    );

    let recording = server.folder().join("greeting.wav");
    let said = said_without_right(&server, &recording, &apply);
    assert_says(
        &said,
        &["greeting.wav", "cannot be read", "Permission denied"],
    );
    std::fs::remove_file(&recording).unwrap();
    std::fs::create_dir(&recording).unwrap();
    let said = sentence(&server.cli(&apply));
    assert_says(&said, &["greeting.wav", "cannot be read", "directory"]);

    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let said = sentence(&server.cli(&apply));
    assert_says(&said, &["hotline.toml", "cannot be read", "directory"]);
}

#[test]
fn data_of_somebody_else_are_told() {
    let mut server = prepared();
    server.run();
    let running = said_without_right(&server, &server.data(), &["status"]);
    assert_says(&running, &["data", "belongs to another user"]);
    server.kill();
    let [data, database, key] =
        ["", "centralita.db", "caller-id.key"].map(|name| server.data().join(name));
    for command in ["serve", "calls"] {
        let said = said_without_right(&server, &database, &[command]);
        assert_says(
            &said,
            &["cannot use", "centralita.db", "Give the folder to the user"],
        );
    }
    let said = said_without_right(&server, &key, &["serve"]);
    assert_says(
        &said,
        &["caller-id.key", "cannot be read", "Permission denied"],
    );
    let said = said_without_right(&server, &data, &["serve"]);
    assert_says(
        &said,
        &["cannot read", "data", "Permission denied", "Give it"],
    );
}

#[test]
fn a_damaged_database_is_told_by_whoever_opens_it() {
    let server = prepared();
    let database = server.data().join("centralita.db");
    let whole = std::fs::read(&database).unwrap();
    // A page in the middle, the page with the schema, and an end that is missing.
    let damages: [fn(&PathBuf, u64); 3] = [
        |file, _| overwrite(file, 4_096, 4_096),
        |file, _| overwrite(file, 100, 3_996),
        |file, length| {
            let file = OpenOptions::new().write(true).open(file).unwrap();
            file.set_len(length / 2).unwrap();
        },
    ];
    let hotline = server.folder().join("hotline.toml");
    let apply = ["apply", hotline.to_str().unwrap()];
    for damage in damages {
        for leftover in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{leftover}", database.display()));
        }
        std::fs::write(&database, &whole).unwrap();
        damage(&database, whole.len() as u64);
        for command in [&["serve"][..], &apply] {
            let said = sentence(&server.cli(command));
            println!("{said}");
            assert_says(&said, &["centralita.db is damaged", "restore a backup"]);
        }
        let doctor = server.cli(&["doctor"]);
        assert!(!doctor.status.success());
        let findings = String::from_utf8_lossy(&doctor.stdout).into_owned();
        let failed = |line: &&str| line.starts_with("FAIL") && line.contains("restore a backup");
        assert!(findings.lines().any(|line| failed(&line)), "{findings}");
        assert!(!findings.contains("no hotline file"), "{findings}");
    }
}

#[test]
fn a_database_that_was_emptied_is_not_taken_for_a_new_one() {
    let server = prepared();
    let database = server.data().join("centralita.db");
    std::fs::write(&database, "").unwrap();
    let told_by_all = |words: &[&str]| {
        for command in ["serve", "calls", "voicemail"] {
            assert_says(&sentence(&server.cli(&[command])), words);
        }
        let doctor = server.cli(&["doctor"]);
        assert!(!doctor.status.success());
        let findings = String::from_utf8_lossy(&doctor.stdout).into_owned();
        let told = findings.lines().find(|line| line.starts_with("FAIL"));
        assert_says(told.unwrap(), words);
        assert!(!findings.contains("no hotline file"), "{findings}");
    };
    told_by_all(&["centralita.db is empty", "Restore a backup"]);
    assert_eq!(std::fs::read(&database).unwrap(), b"");
    std::fs::remove_file(&database).unwrap();
    std::fs::create_dir(&database).unwrap();
    told_by_all(&["centralita.db is a folder", "restore a backup"]);
}

#[test]
fn a_folder_that_takes_no_messages_is_told_at_the_start() {
    let server = prepared();
    let folder = server.data().join("voicemail");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, Permissions::from_mode(0o500)).unwrap();
    let said = sentence(&server.cli_bound_by_rights(&["serve"]));
    assert_says(
        &said,
        &["cannot keep messages", "voicemail", "must be a folder of"],
    );
    std::fs::remove_dir(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    let said = sentence(&server.cli(&["serve"]));
    assert_says(
        &said,
        &["cannot keep messages", "voicemail", "must be a folder of"],
    );
}

fn overwrite(file: &Path, from: u64, bytes: usize) {
    let file = OpenOptions::new().write(true).open(file).unwrap();
    file.write_all_at(&vec![0xa5; bytes], from).unwrap();
}
