//! People: profiles, deactivation, erasure; and which volunteer of the hotline file they are.

use crypto::hub::Change as RosterChange;
use protocol::{
    AccountLink, AccountList, ActiveChange, Blob, GroupList, MemberList, ProfileChange, ShiftList,
    SuperAdminChange,
};
use store::{Change, GroupKind, GroupRow, HotlinePlan, HubPlan, ShiftRow};

use crate::town::{NORTE, Norte, Person, SUR, VOLUNTEER, alone, joins, note, sent};

#[tokio::test]
async fn who_is_deactivated_is_out_at_once() {
    let norte = Norte::new().await;
    let town = &norte.town;
    let path = format!("/users/{}/active", norte.vera.id());
    let members = format!("/hubs/{NORTE}/members");
    let out = ActiveChange { active: false };
    town.put(&norte.vito, &path, &out).await.refused(403);
    town.get(&norte.vera, &members).await.done();
    town.put(&norte.ada, &path, &out).await.done();
    town.get(&norte.vera, &members).await.refused(401);
    town.put(&norte.ada, &path, &ActiveChange { active: true })
        .await
        .done();
    let trail = town.trail(&norte.ada, NORTE).await;
    assert_eq!(
        trail[trail.len() - 2..],
        ["user-deactivated", "user-activated"]
    );
    let own = format!("/users/{}/active", norte.ada.id());
    town.put(&norte.ada, &own, &out).await.refused(409);
}

#[tokio::test]
async fn somebody_else_runs_the_installation_too() {
    let norte = Norte::new().await;
    let town = &norte.town;
    town.get(&norte.vito, "/audit").await.refused(403);
    let path = format!("/users/{}/super-admin", norte.vito.id());
    let change = SuperAdminChange { super_admin: true };
    town.put(&norte.vito, &path, &change).await.refused(403);
    town.put(&norte.ada, &path, &change).await.done();
    town.get(&norte.vito, "/audit").await.done();
    let change = SuperAdminChange { super_admin: false };
    town.put(&norte.ada, &path, &change).await.done();
    town.get(&norte.vito, "/audit").await.refused(403);
    let trail = town.own_trail(&norte.ada).await;
    assert_eq!(trail, ["admin-promoted", "admin-demoted"]);
}

#[tokio::test]
async fn an_erased_person_is_gone_and_their_notes_stay() {
    let mut norte = Norte::new().await;
    let sealed = norte.vera_writes(1, "text").await;
    let profile = [norte.vera.id().0[0]; 40];
    assert!(norte.town.on_disk(&profile));
    let path = format!("/users/{}/erasure", norte.vera.id());
    let asked = norte.town.send(&norte.vito, "POST", &path, vec![]);
    asked.await.refused(403);
    let user = norte.vera.user();
    let leaves = vec![RosterChange::RemoveMember { user }];
    norte.change(leaves).await.done();
    let (town, ada) = (&norte.town, &norte.ada);
    town.send(ada, "POST", &path, vec![]).await.done();
    town.send(ada, "POST", &path, vec![]).await.refused(404);
    town.get(&norte.vera, "/hubs").await.refused(401);
    let trail = town.trail(ada, NORTE).await;
    assert_eq!(
        trail[trail.len() - 2..],
        ["volunteer-removed", "user-erased"]
    );
    assert_eq!(town.own_trail(ada).await.last().unwrap(), "user-erased");
    assert!(town.trail(ada, SUR).await.is_empty());
    let list: MemberList = town
        .get(ada, &format!("/hubs/{NORTE}/members"))
        .await
        .read();
    assert!(
        list.members
            .iter()
            .all(|member| member.user != norte.vera.id())
    );
    town.scrubbed().await;
    assert!(!town.on_disk(&profile));
    assert_eq!(ada.open(&sealed.encode(), &norte.vera).unwrap(), "text");
    let page: protocol::RecordPage = town
        .get(ada, &format!("/hubs/{NORTE}/records"))
        .await
        .read();
    assert_eq!(page.records.len(), 1);
}

/// Whoever seals by it would seal to a person who is gone; and of an only admin, nobody could
/// ever continue it.
#[tokio::test]
async fn nobody_is_erased_whom_a_roster_lists() {
    let norte = Norte::new().await;
    let (town, ada) = (&norte.town, &norte.ada);
    let path = format!("/users/{}/erasure", norte.vera.id());
    let answer = town.send(ada, "POST", &path, vec![]).await;
    answer.refused(409);
    for part in ["norte", "deactivate", "take them off"] {
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    town.get(&norte.vera, "/hubs").await.done();
    // Out at once they are all the same.
    let active = format!("/users/{}/active", norte.vera.id());
    let out = ActiveChange { active: false };
    town.put(ada, &active, &out).await.done();
    town.get(&norte.vera, "/hubs").await.refused(401);
    town.send(ada, "POST", &path, vec![]).await.refused(409);
    let change = SuperAdminChange { super_admin: true };
    let promote = format!("/users/{}/super-admin", norte.otto.id());
    town.put(ada, &promote, &change).await.done();
    let path = format!("/users/{}/erasure", ada.id());
    let asked = town.send(&norte.otto, "POST", &path, vec![]);
    asked.await.refused(409);
    let trail = town.trail(ada, NORTE).await;
    assert!(!trail.contains(&"user-erased".to_owned()), "{trail:?}");
}

/// Takes a backup in until it is told to go on.
struct Stuck {
    writes: u32,
    stuck: std::sync::mpsc::Sender<()>,
    go_on: std::sync::mpsc::Receiver<()>,
}

impl std::io::Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writes += 1;
        if self.writes == 100 {
            self.stuck.send(()).unwrap();
            self.go_on.recv().unwrap();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn erasure(person: &Person) -> String {
    format!("/users/{}/erasure", person.id())
}

/// Erases somebody while a backup reads, which then ends. What of them is still on the disk.
async fn erased_beside_a_backup(norte: &mut Norte) -> [u8; 40] {
    let leaves = [&norte.vera, &norte.vito].map(|person| RosterChange::RemoveMember {
        user: person.user(),
    });
    let leaves = leaves.to_vec();
    norte.change(leaves).await.done();
    let (town, ada) = (&norte.town, &norte.ada);
    let profile = [norte.vera.id().0[0]; 40];
    let (stuck, is_stuck) = std::sync::mpsc::channel();
    let (go_on, waits) = std::sync::mpsc::channel();
    let store = std::sync::Arc::clone(&town.store);
    let backup = tokio::spawn(async move {
        let mut sink = Stuck {
            writes: 0,
            stuck,
            go_on: waits,
        };
        store.unscoped().backup(&mut sink).await
    });
    tokio::task::block_in_place(|| is_stuck.recv().unwrap());
    let path = erasure(&norte.vera);
    town.send(ada, "POST", &path, vec![]).await.done();
    assert!(town.on_disk(&profile), "the backup does not read");
    go_on.send(()).unwrap();
    backup.await.unwrap().unwrap();
    profile
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_done_although_a_backup_still_reads() {
    let mut norte = Norte::new().await;
    let profile = erased_beside_a_backup(&mut norte).await;
    let (town, ada) = (&norte.town, &norte.ada);
    let path = erasure(&norte.vito);
    town.send(ada, "POST", &path, vec![]).await.done();
    town.scrubbed().await;
    assert!(!town.on_disk(&profile));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_takes_from_the_disk_what_was_left() {
    let mut norte = Norte::new().await;
    let profile = erased_beside_a_backup(&mut norte).await;
    norte.town.restart().await;
    let town = &norte.town;
    assert!(town.on_disk(&profile));
    web_api::scrub_what_was_left(&town.shared);
    town.scrubbed().await;
    assert!(!town.on_disk(&profile));
}

#[tokio::test]
async fn two_who_shut_each_other_out_leave_one() {
    let norte = Norte::new().await;
    let (town, ada, otto) = (&norte.town, &norte.ada, &norte.otto);
    let of = |person: &Person| format!("/users/{}/super-admin", person.id());
    let change = |super_admin| SuperAdminChange { super_admin };
    town.put(ada, &of(otto), &change(true)).await.done();
    let of_ada = of(ada);
    let (no, out) = (change(false), ActiveChange { active: false });
    let of_otto = format!("/users/{}/active", otto.id());
    let (first, second) = tokio::join!(town.put(otto, &of_ada, &no), town.put(ada, &of_otto, &out));
    let done = [&first, &second].map(|answer| answer.status.is_success());
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
    assert!(town.store.reader().has_super_admin().await.unwrap());
}

#[tokio::test]
async fn a_private_note_goes_with_its_author() {
    let mut norte = Norte::new().await;
    let sealed = norte.vera.seal(note(1), "Mine.", &[]);
    let private = protocol::NewRecord {
        visibility: protocol::Visibility::Private,
        ..sent(&sealed)
    };
    let written = norte.town.write(&norte.vera, NORTE, &private).await;
    written.done();
    let user = norte.vera.user();
    let leaves = vec![RosterChange::RemoveMember { user }];
    norte.change(leaves).await.done();
    let town = &norte.town;
    assert!(town.on_disk(sealed.body()));
    let path = format!("/users/{}/erasure", norte.vera.id());
    town.send(&norte.ada, "POST", &path, vec![]).await.done();
    town.scrubbed().await;
    assert!(!town.on_disk(sealed.body()));
}

#[tokio::test]
async fn a_roster_does_not_bring_back_who_was_erased() {
    let mut norte = Norte::new().await;
    let user = norte.vera.user();
    let leaves = vec![RosterChange::RemoveMember { user }];
    norte.change(leaves).await.done();
    let path = format!("/users/{}/erasure", norte.vera.id());
    let erased = norte.town.send(&norte.ada, "POST", &path, vec![]).await;
    erased.done();
    let told = norte.town.trail(&norte.ada, NORTE).await.len();
    let answer = norte.change(vec![joins(&norte.vera, VOLUNTEER)]).await;
    answer.refused(409);
    assert!(answer.text().contains("erased"), "{}", answer.text());
    let path = format!("/hubs/{NORTE}/members");
    let list: MemberList = norte.town.get(&norte.vito, &path).await.read();
    let members = list.members.iter().map(|member| member.user.0[0]);
    assert_eq!(members.collect::<Vec<_>>(), [1, 3, 4, 5]);
    assert_eq!(norte.town.trail(&norte.ada, NORTE).await.len(), told);
}

#[tokio::test]
async fn a_profile_is_its_owners_to_change() {
    let norte = Norte::new().await;
    let change = ProfileChange {
        profile: Blob(vec![0x77; 60]),
    };
    norte
        .town
        .put(&norte.vera, "/me/profile", &change)
        .await
        .done();
    let path = format!("/hubs/{NORTE}/profiles");
    let list: protocol::ProfileList = norte.town.get(&norte.ada, &path).await.read();
    let profiles = list.profiles.into_iter();
    let mut profiles = profiles.filter(|profile| profile.user == norte.vera.id());
    assert_eq!(profiles.next().unwrap().profile.unwrap(), change.profile);
    let trail = norte.town.own_trail(&norte.ada).await;
    assert_eq!(trail.last().unwrap(), "profile-changed");
    let long = ProfileChange {
        profile: Blob(vec![0; 20_000]),
    };
    norte
        .town
        .put(&norte.vera, "/me/profile", &long)
        .await
        .refused(400);
}

#[tokio::test]
async fn a_volunteer_sees_shifts_and_no_other_names() {
    let norte = Norte::new().await;
    let town = &norte.town;
    let names = || vec!["vera-1".to_owned(), "vito-1".to_owned()];
    let plan = HotlinePlan {
        hubs: vec![HubPlan {
            hub: "norte".to_owned(),
            shifts: vec![ShiftRow {
                name: "night".to_owned(),
                days: 1,
                from_minute: 1_200,
                to_minute: 60,
                volunteers: names(),
                groups: vec![],
            }],
            groups: vec![GroupRow {
                name: "all".to_owned(),
                kind: GroupKind::Ring,
                volunteers: names(),
            }],
        }],
        volunteers: names(),
    };
    let plan = Change::HotlinePlanned(Box::new(plan));
    town.store.commit(alone(plan)).await.unwrap();
    let link = format!("/hubs/{NORTE}/accounts/vera-1");
    let to_vera = AccountLink {
        user: Some(norte.vera.id()),
    };
    town.put(&norte.vera, &link, &to_vera).await.refused(403);
    let to_otto = AccountLink {
        user: Some(norte.otto.id()),
    };
    town.put(&norte.ada, &link, &to_otto).await.refused(409);
    let other_hub = format!("/hubs/{SUR}/accounts/vera-1");
    town.put(&norte.ada, &other_hub, &to_vera)
        .await
        .refused(404);
    town.put(&norte.ada, &link, &to_vera).await.done();
    let accounts: AccountList = town
        .get(&norte.ada, &format!("/hubs/{NORTE}/accounts"))
        .await
        .read();
    assert_eq!(accounts.accounts[0].user, Some(norte.vera.id()));
    let (shifts, groups) = (
        format!("/hubs/{NORTE}/shifts"),
        format!("/hubs/{NORTE}/groups"),
    );
    let all: ShiftList = town.get(&norte.ada, &shifts).await.read();
    assert_eq!(all.shifts[0].volunteers, ["vera-1", "vito-1"]);
    let own: ShiftList = town.get(&norte.vera, &shifts).await.read();
    assert_eq!(own.shifts[0].volunteers, ["vera-1"]);
    let own: GroupList = town.get(&norte.vera, &groups).await.read();
    assert_eq!(own.groups[0].volunteers, ["vera-1"]);
    town.get(&norte.rolf, &shifts).await.refused(403);
    town.get(&norte.vera, &format!("/hubs/{NORTE}/accounts"))
        .await
        .refused(403);
    let trail = town.trail(&norte.ada, NORTE).await;
    assert_eq!(trail.last().unwrap(), "phone-changed");
}
