//! A box that was restored from an ordinary backup, and a person whose device saw it go on.

use std::time::Duration;

use e2e::eventually;
use life::{Client, Failure, Sort};

use crate::place::{PIN, Place};

const NOTE: &str = "She will call again on Thursday.";
const WITHIN: Duration = Duration::from_secs(60);

/// No key changes after the backup: the box only goes on.
#[test]
fn who_is_refused_by_a_restored_box_comes_back_with_the_recovery_key() {
    let mut place = Place::unwitnessed();
    let (mut admin, hub) = place.first_admin("Ada");
    let paper = admin.make_recovery_key().unwrap();
    let note = admin.write(hub, Sort::Note, NOTE).unwrap();
    let said = place.server.say(&["backup", "keygen"]);
    let key = said.lines().find(|line| line.starts_with("hlsec1"));
    let key_file = place.at("backup.key");
    std::fs::write(&key_file, key.unwrap()).unwrap();
    let backup = place.at("box.backup");
    place.server.say(&["backup", &backup]);
    let before = admin.check_log().unwrap().size();
    again(&mut place);
    admin.login().unwrap();
    eventually("the heads in the key log", WITHIN, || {
        (admin.check_log().unwrap().size() > before).then_some(())
    });

    place.server.terminate();
    assert!(place.server.wait_exit().success());
    std::fs::rename(place.server.data(), place.at("lost")).unwrap();
    let said = place.server.say(&["restore", &backup, "--key", &key_file]);
    assert!(said.contains("Remove my keys from this browser"), "{said}");
    place.server.run();
    let refused = admin.login().and_then(|()| admin.check_log());
    let refused = refused.map(drop).unwrap_err();
    println!("the old device says: {refused}");
    assert!(matches!(refused, Failure::NotBelieved(_)), "{refused}");

    // What is in the browser is forgotten; the recovery key is on paper.
    let (user, lost) = (admin.user(), [admin.device_id()]);
    let folder = place.folder("ada's next");
    let back = Client::recover(folder, place.told(), user, &paper, &lost, PIN);
    let mut back = back.unwrap();
    back.check_log().unwrap();
    assert_eq!(back.read(hub, note).unwrap(), NOTE);
    again(&mut place);
    back.login().unwrap();
    back.check_log().unwrap();
    place.server.say(&["audit", "verify"]);
}

/// Starts the box again: the heads of what was told meanwhile go into the key log.
fn again(place: &mut Place) {
    place.server.terminate();
    assert!(place.server.wait_exit().success());
    place.server.run();
}
