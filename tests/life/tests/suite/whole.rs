//! A whole life: from the printed code to the erased note, and nothing left to read.

use std::sync::mpsc::channel;
use std::time::Duration;

use crypto::UserId;
use crypto::hub::Change as RosterChange;
use e2e::sipp::Plan;
use life::{Client, Failure, NewDevice, Sort, Taken};
use protocol::{
    CallPage, FieldValue, Id, NewBan, NoteText, ROSTER_ROLE_HUB_ADMIN, ROSTER_ROLE_REPORTER,
    ROSTER_ROLE_REVIEWER, ROSTER_ROLE_VOLUNTEER, Role, Tokens,
};

use crate::place::{MESSAGE_S, PIN, Place};
use crate::traces::{Secrets, files};

const ADMIN: &str = "Adalind Quittenbaum";
const BEN: &str = "Benedikt Zwetschgenroth";
const CARLA: &str = "Carlotta Mispelreuth";
const REPORTER: &str = "Ruprecht Schlehdorn";
const REVIEWER: &str = "Roswitha Elsbeerfeld";
const NOTE: &str = "caller Vogelbeerwald has fled to the Sanddornstrand";
const EDITED: &str = "caller Vogelbeerwald is safe at the Hagebuttenhof";
const WITH_FIELDS: &str = "asked for a bed near the Eisbeerenpfad";
const EDITED_FIELDS: &str = "was given a bed near the Weinrosenhang";
const FIELD: &str = "born at the Mehlbeerengrund";
const CHOICE: &str = "Wacholderdrosselheim";
const PRIVATE: &str = "remember the Kornelkirschenweg before dusk";
const REPORT: &str = "the police came to the Holunderbruch at nine";
const LATER: &str = "written on the Speierlingsberg after all was lost";
const SECOND: &str = "Sieglinde Berberitzen";
const LEFT: &str = "left behind at the Elsbeerplatz";
const EDITED_LATER: &str = "waits behind the Felsenbirnenhag";
const CALLER: &str = "+34911987654";
const NEW_PIN: &str = "462815-Schlehdornbusch";

#[test]
fn a_whole_life_leaves_nothing_to_read() {
    let place = Place::start("trace");
    let mut secrets = Secrets::default();
    secrets.add("the first admin's code", place.code().as_bytes());
    let (mut admin, hub) = place.first_admin(ADMIN);
    keep(&mut secrets, "the admin's", &admin);
    let again = Client::bootstrap(
        place.folder("late"),
        place.told(),
        &place.code(),
        PIN,
        "Late",
    );
    assert_eq!(status(again.map(drop)), 410, "a code is good once");

    let mut ben = comes_in(&place, &mut admin, hub, &mut secrets);
    let volunteer = (Role::Volunteer, ROSTER_ROLE_VOLUNTEER);
    let mut carla = place.member(&mut admin, hub, volunteer.0, volunteer.1, CARLA);
    keep(&mut secrets, "Carla's", &carla);

    let note = ben.write(hub, Sort::Note, NOTE).unwrap();
    assert_eq!(admin.read(hub, note).unwrap(), NOTE);
    another_volunteer_cannot(&mut carla, &mut admin, hub, note);
    with_fields(&mut ben, &mut admin, hub);
    let private = ben.write(hub, Sort::PrivateNote, PRIVATE).unwrap();
    assert_eq!(status(admin.read(hub, private)), 404, "a private note");
    found_by_its_words(&mut admin, &mut ben, &mut carla, hub, note);
    reports(&place, &mut admin, &mut ben, hub, &mut secrets);
    a_message(&place, &mut admin, &mut ben, hub);
    banned_in_the_panel(&place, &mut admin, &mut ben, hub);
    taken_away(&place, &mut ben, &mut admin, hub);
    let mut ben = second_device_and_loss(&place, ben, &mut admin, hub, &mut secrets);
    moved_once(&mut ben, &mut admin, hub, note);
    let mut carla = another_pin(&place, carla, &mut admin, hub);

    // Before anything is erased, and with the log that SQLite writes to first.
    all_that_was_written(&mut secrets);
    let written = files(&place.server.data());
    let log = written
        .iter()
        .find(|file| file.ends_with("centralita.db-wal"));
    assert!(std::fs::metadata(log.unwrap()).unwrap().len() > 0);
    nothing_to_read(&place, &secrets);
    ben.erase(hub, note).unwrap();
    let history = admin.history(hub, note).unwrap();
    assert!(history.erasure.is_some());
    assert!(
        history
            .revisions
            .iter()
            .all(|revision| revision.record.is_none())
    );

    let left = who_leaves_leaves_what_they_wrote(&place, &mut admin, &mut carla, hub);
    out_at_once(&mut admin, &mut carla);
    erased_after_leaving(&mut admin, &mut carla, &mut ben, hub, left);
    nothing_to_read(&place, &secrets);
    the_search_finds_what_is_there(&place, admin.user());
}

fn all_that_was_written(secrets: &mut Secrets) {
    let plaintexts = [
        ADMIN,
        BEN,
        CARLA,
        REPORTER,
        REVIEWER,
        NOTE,
        EDITED,
        WITH_FIELDS,
        EDITED_FIELDS,
        FIELD,
        CHOICE,
        PRIVATE,
        REPORT,
        LATER,
        SECOND,
        LEFT,
        EDITED_LATER,
        CALLER,
        PIN,
        NEW_PIN,
    ];
    for text in plaintexts {
        secrets.add(text, text.as_bytes());
        for word in text.split_whitespace().filter(|word| word.len() > 9) {
            secrets.add(word, word.as_bytes());
        }
    }
    secrets.add(
        "the caller's number",
        CALLER.trim_start_matches('+').as_bytes(),
    );
}

fn nothing_to_read(place: &Place, secrets: &Secrets) {
    assert_eq!(secrets.found_in(&place.server), Vec::<String>::new());
}

/// Invited, redeemed, and nobody before an admin has taken them in.
fn comes_in(place: &Place, admin: &mut Client, hub: Id, secrets: &mut Secrets) -> Client {
    let invitation = admin.invite(hub, Role::Volunteer).unwrap();
    secrets.add("Ben's invitation", invitation.code.reveal().as_bytes());
    let mut ben = place.invited(&invitation, BEN);
    keep(secrets, "Ben's", &ben);
    assert!(ben.me().unwrap().hubs.is_empty());
    assert_eq!(status(ben.hub(hub).map(drop)), 403);
    let spent = Client::redeem(place.folder("thief"), &invitation, PIN, "Thief");
    assert_eq!(status(spent.map(drop)), 410, "an invitation is good once");
    assert_eq!(admin.waiting(hub).unwrap(), [(ben.user(), Role::Volunteer)]);
    admin.admit(hub, ben.user(), ROSTER_ROLE_VOLUNTEER).unwrap();
    assert!(admin.waiting(hub).unwrap().is_empty());
    ben
}

/// What is entered in the hub's own fields is sealed with the note, and stays when it is edited.
fn with_fields(ben: &mut Client, admin: &mut Client, hub: Id) {
    let fields = [
        ("6f1d", FieldValue::Text(FIELD.to_owned())),
        ("70aa", FieldValue::Several(vec![CHOICE.to_owned()])),
        ("91c3", FieldValue::Ticked(true)),
    ];
    let mut note = NoteText::from(WITH_FIELDS);
    note.fields = fields.map(|(id, value)| (id.to_owned(), value)).into();
    let id = ben.write(hub, Sort::Note, note.clone()).unwrap();
    assert_eq!(admin.read_whole(hub, id).unwrap(), note);
    ben.edit(hub, id, EDITED_FIELDS).unwrap();
    EDITED_FIELDS.clone_into(&mut note.text);
    assert_eq!(admin.read_whole(hub, id).unwrap(), note);
}

/// The server refuses her; and with the ciphertext in hand she cannot open it.
fn another_volunteer_cannot(carla: &mut Client, admin: &mut Client, hub: Id, note: Id) {
    assert_eq!(status(carla.read(hub, note)), 404);
    assert!(carla.list(hub).unwrap().is_empty());
    let stolen = admin.history(hub, note).unwrap().revisions.pop().unwrap();
    let view = carla.hub(hub).unwrap();
    let opened = carla.open_revision(&view, note, &stolen);
    assert!(matches!(opened, Err(Failure::NotBelieved(_))));
    assert_eq!(status(carla.erase_as_is(hub, note, &stolen)), 404);
}

fn found_by_its_words(admin: &mut Client, ben: &mut Client, carla: &mut Client, hub: Id, note: Id) {
    assert_eq!(admin.search(hub, "SANDDORNSTRAND").unwrap(), [note]);
    ben.edit(hub, note, EDITED).unwrap();
    assert_eq!(admin.read(hub, note).unwrap(), EDITED);
    assert_eq!(admin.history(hub, note).unwrap().revisions.len(), 2);
    assert!(admin.search(hub, "Sanddornstrand").unwrap().is_empty());
    assert_eq!(
        ben.search(hub, "vogelbeerwald hagebuttenhof").unwrap(),
        [note]
    );
    assert!(carla.search(hub, "Vogelbeerwald").unwrap().is_empty());
}

/// A report is for its reviewers too, who write nothing; a note is not.
fn reports(place: &Place, admin: &mut Client, ben: &mut Client, hub: Id, secrets: &mut Secrets) {
    let mut reporter = place.member(admin, hub, Role::Reporter, ROSTER_ROLE_REPORTER, REPORTER);
    let mut reviewer = place.member(admin, hub, Role::Reviewer, ROSTER_ROLE_REVIEWER, REVIEWER);
    keep(secrets, "the reporter's", &reporter);
    keep(secrets, "the reviewer's", &reviewer);
    let report = reporter.write(hub, Sort::Report, REPORT).unwrap();
    assert_eq!(reviewer.read(hub, report).unwrap(), REPORT);
    assert_eq!(admin.read(hub, report).unwrap(), REPORT);
    assert_eq!(status(ben.read(hub, report)), 404);
    assert_eq!(status(reviewer.write(hub, Sort::Note, REPORT)), 403);
    assert_eq!(status(reporter.voicemails(hub)), 403);
}

/// A caller leaves a message. The admin hears it with their own key; a volunteer does not.
fn a_message(place: &Place, admin: &mut Client, ben: &mut Client, hub: Id) {
    let message = place.leave_a_message(admin, hub, CALLER);
    let (sound, rate_hz) = admin.hear(hub, message.recording).unwrap();
    let seconds = sound.len() as f64 / 2.0 / f64::from(rate_hz);
    println!("the admin hears a message of {seconds:.1} s");
    assert!(seconds > MESSAGE_S as f64 - 1.0);
    let loudest = sound
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    assert!(loudest.max() > Some(1_000), "the message is silent");
    assert_eq!(status(ben.voicemails(hub)), 403);
    assert_eq!(status(ben.sealed_voicemail(hub, message.recording)), 403);
    assert_eq!(status(ben.heard(hub, message.recording)), 403);
    admin.heard(hub, message.recording).unwrap();
    let listed = admin.voicemails(hub).unwrap();
    assert_eq!(listed[0].heard_by, Some(admin.user()));
}

/// The admin reports the last call and bans its caller without seeing a number; their next call
/// is refused. Ben did not have the caller.
fn banned_in_the_panel(place: &Place, admin: &mut Client, ben: &mut Client, hub: Id) {
    let history: CallPage = admin.get(&format!("/hubs/{hub}/calls")).unwrap();
    let call = history.calls[0].call;
    assert_eq!(status(ben.report_call(hub, call)), 403);
    admin.report_call(hub, call).unwrap();
    let history: CallPage = admin.get(&format!("/hubs/{hub}/calls")).unwrap();
    let report = history.calls[0].reported.unwrap();
    assert_eq!(report.by, Some(admin.user()));
    let ban = NewBan {
        call,
        expires_at_ms: None,
    };
    let bans = format!("/hubs/{hub}/bans");
    assert_eq!(ben.tell("POST", &bans, &ban).unwrap().status, 403);
    admin.tell("POST", &bans, &ban).unwrap().bytes().unwrap();
    // The box reads its bans anew a moment later.
    std::thread::sleep(Duration::from_secs(2));
    Plan::caller("caller_refused", place.net, CALLER)
        .set("status", "603")
        .start(place.net)
        .succeeds();
}

/// All of one's own, for oneself alone: on a device, or at any machine with the key kept offline.
fn taken_away(place: &Place, ben: &mut Client, admin: &mut Client, hub: Id) {
    let key = place.at("offline.key");
    let printed = place.run(&["keygen", &key]);
    let file = ben.export(hub, printed.lines().next()).unwrap();
    let taken = ben.open_export(&file).unwrap();
    let texts: Vec<&str> = taken
        .revisions
        .iter()
        .map(|one| one.note.text.as_str())
        .collect();
    for text in [NOTE, EDITED, PRIVATE] {
        assert!(texts.contains(&text), "{text} was not taken away");
    }
    assert!(matches!(
        admin.open_export(&file),
        Err(Failure::NotBelieved(_))
    ));
    let (sealed, opened) = (place.at("my.export"), place.at("opened"));
    std::fs::write(&sealed, file).unwrap();
    place.run(&["export", "open", &sealed, "--key", &key, "--out", &opened]);
    let document = std::fs::read(format!("{opened}/export.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Taken>(&document).unwrap(), taken);
}

/// Ben links a second device, loses both, and comes back with what is on paper.
fn second_device_and_loss(
    place: &Place,
    mut ben: Client,
    admin: &mut Client,
    hub: Id,
    secrets: &mut Secrets,
) -> Client {
    let folder = place.folder("ben's second");
    let (mut new, text) = NewDevice::invite(folder, place.told(), ben.user()).unwrap();
    secrets.add("the pairing code", text.as_bytes());
    let (say, hear) = channel();
    let waiting = std::thread::spawn(move || {
        say.send(new.digits().unwrap()).unwrap();
        new.finish(PIN).unwrap()
    });
    ben.link(&text, || hear.recv().unwrap()).unwrap();
    let mut second = waiting.join().unwrap();
    keep(secrets, "the second device's", &second);
    assert_ne!(second.device_id(), ben.device_id());
    let mine = second.list(hub).unwrap();
    assert_eq!(mine.len(), 3, "the second device sees what the first wrote");
    for record in mine {
        second.read(hub, record.id).unwrap();
    }

    let paper = second.make_recovery_key().unwrap();
    secrets.add("the recovery key", paper.as_bytes());
    let lost = [ben.device_id(), second.device_id()];
    let (user, folder) = (ben.user(), place.folder("ben's third"));
    let back = Client::recover(folder, place.told(), user, &paper, &lost, PIN);
    let mut back = back.unwrap();
    keep(secrets, "the third device's", &back);
    for mut gone in [ben, second] {
        assert_eq!(status(gone.me()), 401, "a revoked device is out at once");
        assert_eq!(status(gone.login()), 401);
    }
    // The lost devices had the hub's key.
    admin.change_hub(hub, Vec::new()).unwrap();
    let later = back.write(hub, Sort::Note, LATER).unwrap();
    assert_eq!(admin.read(hub, later).unwrap(), LATER);
    assert_eq!(back.list(hub).unwrap().len(), 4);
    back
}

/// The first reading after a rotation moves what opens the note; the second finds it moved.
fn moved_once(ben: &mut Client, admin: &mut Client, hub: Id, note: Id) {
    let newest = |client: &mut Client| {
        let history = client.history(hub, note).unwrap();
        history.revisions.last().unwrap().record.clone()
    };
    let before = newest(ben);
    assert_eq!(ben.read(hub, note).unwrap(), EDITED);
    let moved = newest(ben);
    assert_ne!(moved, before);
    assert_eq!(ben.read(hub, note).unwrap(), EDITED);
    assert_eq!(newest(ben), moved);
    assert_eq!(admin.read(hub, note).unwrap(), EDITED);
}

/// Carla's PIN was seen. The old one opens nothing any more, and she has the hub's key again.
fn another_pin(place: &Place, mut carla: Client, admin: &mut Client, hub: Id) -> Client {
    carla.change_pin(NEW_PIN).unwrap();
    admin.wrap_hub_key(hub, carla.user()).unwrap();
    assert!(Client::unlock(place.folder(CARLA), PIN).is_err());
    let mut carla = Client::unlock(place.folder(CARLA), NEW_PIN).unwrap();
    carla.resume().unwrap();
    carla.hub(hub).unwrap();
    carla
}

/// A second admin and a volunteer leave. What they could read or wrote stays readable for those
/// who stay, and is closed to them.
fn who_leaves_leaves_what_they_wrote(
    place: &Place,
    admin: &mut Client,
    carla: &mut Client,
    hub: Id,
) -> Id {
    let mut second = place.member(admin, hub, Role::HubAdmin, ROSTER_ROLE_HUB_ADMIN, SECOND);
    let note = carla.write(hub, Sort::Note, LEFT).unwrap();
    assert_eq!(second.read(hub, note).unwrap(), LEFT);
    let leaves = |user: Id| RosterChange::RemoveMember {
        user: UserId::from_bytes(user.0),
    };
    admin.change_hub(hub, vec![leaves(second.user())]).unwrap();
    assert_eq!(admin.read(hub, note).unwrap(), LEFT, "who reads has left");
    assert_eq!(carla.read(hub, note).unwrap(), LEFT);
    carla.edit(hub, note, EDITED_LATER).unwrap();
    assert_eq!(status(second.read(hub, note)), 403);
    admin.change_hub(hub, vec![leaves(carla.user())]).unwrap();
    assert_eq!(
        admin.read(hub, note).unwrap(),
        EDITED_LATER,
        "who wrote has left"
    );
    assert_eq!(status(carla.read(hub, note)), 403);
    note
}

/// Whoever logs out, or is deactivated, is out with the next request.
fn out_at_once(admin: &mut Client, carla: &mut Client) {
    let old: Tokens = carla.line.tokens.clone().unwrap();
    carla.logout().unwrap();
    carla.keep_tokens(Some(old)).unwrap();
    assert_eq!(status(carla.me()), 401, "a session that has ended");
    carla.login().unwrap();
    admin.set_active(carla.user(), false).unwrap();
    assert_eq!(status(carla.me()), 401, "a person who was deactivated");
    assert_eq!(status(carla.login()), 401);
}

/// Not before: who is still on a hub's list would go on being sealed to. What Carla wrote for
/// others stays.
fn erased_after_leaving(
    admin: &mut Client,
    carla: &mut Client,
    ben: &mut Client,
    hub: Id,
    left: Id,
) {
    assert_eq!(status(admin.erase_person(ben.user())), 409);
    ben.me().unwrap();
    admin.erase_person(carla.user()).unwrap();
    assert_eq!(status(admin.erase_person(carla.user())), 404);
    assert_eq!(status(carla.login()), 401);
    assert_eq!(admin.read(hub, left).unwrap(), EDITED_LATER);
}

/// Otherwise that nothing was found would say nothing.
fn the_search_finds_what_is_there(place: &Place, known: Id) {
    let mut there = Secrets::default();
    there.add("the admin's id", &known.0);
    let found = there.found_in(&place.server);
    assert!(
        found.iter().any(|place| place.contains("centralita.db")),
        "{found:?}"
    );
    let files = files(&place.server.data());
    println!("looked through {} files and the log", files.len());
    assert!(
        place.server.log().contains("DEBUG"),
        "the most talkative log"
    );
}

/// What a login holds must not be found either.
fn keep(secrets: &mut Secrets, whose: &str, client: &Client) {
    let tokens = client.line.tokens.as_ref().unwrap();
    secrets.add(&format!("{whose} access token"), &tokens.access.0);
    secrets.add(&format!("{whose} refresh token"), &tokens.refresh.0);
    if let Some(paper) = &client.paper {
        secrets.add(&format!("{whose} recovery key"), paper.as_bytes());
    }
}

/// With which status the server refused.
fn status<T>(result: Result<T, Failure>) -> u16 {
    match result {
        Err(Failure::Refused(problem)) => problem.status,
        Err(other) => panic!("not refused by the server: {other}"),
        Ok(_) => panic!("not refused"),
    }
}
