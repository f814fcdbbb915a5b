//! Lists whose places are a time and a name, page by page.

use crypto::record::RecordKind;
use jiff::{SignedDuration, Timestamp};
use protocol::{
    BanList, Cursor, Id, IndexToken, InviteRequest, Invites, NewRecord, Role, SearchAnswer,
    SearchRequest,
};
use sha2::{Digest, Sha256};
use store::{BanRow, CallerHash, Change, Changes, InviteRow, SecretHash, UserId, VaultChange};

use crate::town::{NORTE, Norte, SUR, alone, named, note, place, sent};

/// More than any page has, and more than the server reads at once.
const MANY: usize = 520;

fn digest(number: usize) -> [u8; 32] {
    Sha256::digest(number.to_be_bytes()).into()
}

/// As the database has it.
fn now() -> Timestamp {
    Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap()
}

async fn bans(norte: &Norte, query: &str) -> BanList {
    let path = format!("/hubs/{NORTE}/bans{query}");
    norte.town.get(&norte.ada, &path).await.read()
}

/// Bans the callers of these numbers at one time.
async fn ban(norte: &Norte, hub: &str, at: Timestamp, callers: std::ops::Range<usize>) {
    let mut changes = Changes::new();
    for number in callers {
        changes.push(Change::BanAdded(BanRow {
            hub: hub.to_owned(),
            caller: CallerHash(digest(number)),
            created_at: at,
            expires_at: None,
            reason: None,
        }));
    }
    norte.town.store.commit(changes).await.unwrap();
}

async fn all_bans(norte: &Norte, limit: usize) -> Vec<Id> {
    let mut all: Vec<Id> = Vec::new();
    let mut after = String::new();
    loop {
        let page = bans(norte, &format!("?limit={limit}{after}")).await;
        assert!(page.bans.len() <= limit);
        all.extend(page.bans.iter().map(|ban| ban.id));
        let Some(next) = page.next else {
            return all;
        };
        assert_eq!(page.bans.len(), limit);
        after = format!("&after={next}");
    }
}

fn without_repetition(mut ids: Vec<Id>) -> usize {
    ids.sort();
    ids.dedup();
    ids.len()
}

#[tokio::test]
async fn bans_of_one_moment_come_in_pages() {
    let norte = Norte::new().await;
    let at = now();
    let microsecond = SignedDuration::from_micros(1);
    ban(&norte, "norte", at - microsecond, 0..1).await;
    ban(&norte, "norte", at, 1..MANY - 1).await;
    ban(&norte, "norte", at + microsecond, MANY - 1..MANY).await;
    ban(&norte, "sur", at, MANY..MANY + 3).await;
    let all = all_bans(&norte, 200).await;
    assert_eq!((all.len(), without_repetition(all.clone())), (MANY, MANY));
    assert_eq!(all_bans(&norte, 130).await, all, "of four full pages");
    assert_eq!(all_bans(&norte, 7).await, all);
    let page = async |query: &str| bans(&norte, query).await.bans.len();
    assert_eq!(page("").await, 200);
    assert_eq!(page("?limit=4000000").await, 200);
    assert_eq!(page("?limit=0").await, 1);

    // The newest is beyond what the server reads at once.
    let town = &norte.town;
    let one = |ban: &Id| format!("/hubs/{NORTE}/bans/{ban}");
    town.delete(&norte.ada, &one(&all[MANY - 1])).await.done();
    town.delete(&norte.ada, &one(&all[MANY - 1]))
        .await
        .refused(404);
    // Where the ban of a place was lifted meanwhile, none is left out.
    let first = bans(&norte, "?limit=100").await;
    town.delete(&norte.ada, &one(&all[99])).await.done();
    let next = first.next.unwrap();
    let second = bans(&norte, &format!("?limit=200&after={next}")).await;
    let second: Vec<Id> = second.bans.iter().map(|ban| ban.id).collect();
    assert!(second.contains(&all[100]) && !second.contains(&all[0]));
}

#[tokio::test]
async fn a_ban_that_ended_keeps_its_place() {
    let norte = Norte::new().await;
    let at = now() - SignedDuration::from_secs(60);
    ban(&norte, "norte", at, 0..9).await;
    let before = all_bans(&norte, 200).await;
    let first = bans(&norte, "?limit=4").await;
    let mut callers: Vec<_> = (0..9).map(digest).collect();
    callers.sort_unstable();
    let ended = BanRow {
        hub: "norte".to_owned(),
        caller: CallerHash(callers[3]),
        created_at: at,
        expires_at: Some(now()),
        reason: None,
    };
    let change = Change::BanAdded(ended);
    norte.town.store.commit(alone(change)).await.unwrap();
    let rest = bans(&norte, &format!("?after={}", first.next.unwrap())).await;
    let rest: Vec<Id> = rest.bans.iter().map(|ban| ban.id).collect();
    assert_eq!(rest, before[4..]);
    assert_eq!(all_bans(&norte, 200).await.len(), 8);
}

async fn invites(norte: &Norte, query: &str) -> Invites {
    let path = format!("/hubs/{NORTE}/invites{query}");
    norte.town.get(&norte.ada, &path).await.read()
}

/// Keeps invitations that end in an hour; those of odd numbers, by `used`, were used.
async fn invite(
    norte: &Norte,
    hub: crypto::HubId,
    at: Timestamp,
    codes: std::ops::Range<usize>,
    used: Option<UserId>,
) {
    let mut changes = Changes::new();
    for number in codes {
        changes.push(VaultChange::InviteAdded(InviteRow {
            code: SecretHash(digest(number)),
            hub: store::HubId(*hub.as_bytes()),
            role: store::Role::Volunteer,
            invited_by: UserId(norte.ada.id().0),
            created_at: at,
            expires_at: at + SignedDuration::from_hours(1),
            used: used.filter(|_| number % 2 == 1).map(|user| (user, at)),
            voucher: None,
        }));
    }
    norte.town.store.commit(changes).await.unwrap();
}

async fn all_invites(norte: &Norte, limit: usize) -> Vec<Id> {
    let mut all: Vec<Id> = Vec::new();
    let mut before = String::new();
    loop {
        let page = invites(norte, &format!("?limit={limit}{before}")).await;
        assert!(page.invites.len() <= limit);
        all.extend(page.invites.iter().map(|invite| invite.invite));
        let Some(next) = page.next else {
            return all;
        };
        assert_eq!(page.invites.len(), limit);
        before = format!("&before={next}");
    }
}

#[tokio::test]
async fn invitations_of_one_moment_come_in_pages() {
    let norte = Norte::new().await;
    let at = now();
    let microsecond = SignedDuration::from_micros(1);
    let used = Some(UserId(norte.otto.id().0));
    invite(&norte, NORTE, at - microsecond, 0..1, used).await;
    invite(&norte, NORTE, at, 1..MANY - 1, used).await;
    invite(&norte, NORTE, at + microsecond, MANY - 1..MANY, used).await;
    invite(&norte, SUR, at, MANY..MANY + 3, None).await;
    let all = all_invites(&norte, 200).await;
    assert_eq!((all.len(), without_repetition(all.clone())), (MANY, MANY));
    let id = |number: usize| Id(*digest(number).first_chunk().unwrap());
    assert_eq!((all[0], all[MANY - 1]), (id(MANY - 1), id(0)));
    assert_eq!(all_invites(&norte, 130).await, all, "of four full pages");
    assert_eq!(all_invites(&norte, 7).await, all);
    let page = async |query: &str| invites(&norte, query).await.invites.len();
    assert_eq!(page("").await, 200);
    assert_eq!(page("?limit=4000000").await, 200);
    assert_eq!(page("?limit=0").await, 1);

    // More than 200 wait, so there is no other, until some are withdrawn.
    let town = &norte.town;
    let path = format!("/hubs/{NORTE}/invites");
    let request = InviteRequest {
        role: Role::Volunteer,
        expires_at_ms: u64::try_from(at.as_millisecond()).unwrap() + 3_600_000,
    };
    town.post(&norte.ada, &path, &request).await.refused(409);
    let one = |number: usize| format!("{path}/{}", id(number));
    let open: Vec<usize> = (0..MANY).filter(|number| number % 2 == 0).collect();
    let (withdrawn, last) = (&open[..open.len() - 200], open[open.len() - 200]);
    for number in withdrawn {
        town.delete(&norte.ada, &one(*number)).await.done();
    }
    town.post(&norte.ada, &path, &request).await.refused(409);
    town.delete(&norte.ada, &one(last)).await.done();
    town.post(&norte.ada, &path, &request).await.done();
    town.delete(&norte.ada, &one(1)).await.refused(410);
    town.delete(&norte.ada, &one(last)).await.refused(404);
    town.delete(&norte.ada, &one(MANY)).await.refused(404);
}

#[tokio::test]
async fn who_was_invited_is_known_among_many() {
    let norte = Norte::new().await;
    let otto = norte.otto.id();
    let path = |hub| format!("/hubs/{hub}/sigchains/{otto}");
    norte.town.get(&norte.ada, &path(NORTE)).await.refused(404);
    let before = now() - SignedDuration::from_mins(1);
    invite(&norte, NORTE, before, 1..2, Some(UserId(otto.0))).await;
    invite(&norte, NORTE, now(), 2..MANY, None).await;
    norte.town.get(&norte.ada, &path(NORTE)).await.done();
    norte.town.get(&norte.vera, &path(NORTE)).await.refused(404);
    // Ada runs the installation; Otto used no invitation of this hub.
    norte.town.get(&norte.ada, &path(SUR)).await.refused(404);
}

#[tokio::test]
async fn a_place_that_is_none_is_refused() {
    let norte = Norte::new().await;
    let town = &norte.town;
    for (list, key) in [("bans", "after"), ("invites", "before")] {
        let get = async |hub, text: &str| {
            let path = format!("/hubs/{hub}/{list}?{key}={text}");
            town.get(&norte.ada, &path).await
        };
        for text in ["", "7", &"0".repeat(46), &"0".repeat(50), &"G".repeat(48)] {
            let answer = get(NORTE, text).await;
            answer.refused(400);
            assert!(answer.text().contains("48 lower-case"), "{}", answer.text());
        }
        // Of a time that no calendar has.
        let id = named(1);
        for at_us in [i64::MIN, i64::MAX] {
            let answer = get(NORTE, &Cursor { at_us, id }.to_string()).await;
            answer.refused(400);
            assert!(answer.text().contains("no list"), "{}", answer.text());
        }
        get(NORTE, &Cursor { at_us: 0, id }.to_string())
            .await
            .done();
        let path = format!("/hubs/{NORTE}/{list}?since=1");
        town.get(&norte.ada, &path).await.refused(400);
        let path = format!("/hubs/{NORTE}/{list}?limit=-1");
        town.get(&norte.ada, &path).await.refused(400);
        let path = format!("/hubs/{SUR}/{list}?limit=1");
        town.get(&norte.vera, &path).await.refused(403);
    }
}

#[tokio::test]
async fn a_place_of_one_hub_shows_nothing_of_another() {
    let norte = Norte::new().await;
    let town = &norte.town;
    let at = now();
    ban(&norte, "norte", at, 0..4).await;
    ban(&norte, "sur", at, 4..6).await;
    invite(&norte, NORTE, at, 0..4, None).await;
    invite(&norte, SUR, at, 4..6, None).await;
    let next = bans(&norte, "?limit=2").await.next.unwrap();
    let sur = SUR.to_string();
    // Who runs the installation manages invitations everywhere, and bans nowhere.
    let path = format!("/hubs/{sur}/bans?after={next}");
    town.get(&norte.ada, &path).await.refused(403);
    let next = invites(&norte, "?limit=2").await.next.unwrap();
    let path = format!("/hubs/{sur}/invites?before={next}");
    let of_sur: Invites = town.get(&norte.ada, &path).await.read();
    let ids: Vec<Id> = (4..6)
        .map(|number| Id(*digest(number).first_chunk().unwrap()))
        .collect();
    assert!(of_sur.invites.iter().all(|row| ids.contains(&row.invite)));
}

#[tokio::test]
async fn what_a_search_finds_comes_in_pages() {
    let norte = Norte::new().await;
    let (town, ada, vera) = (&norte.town, &norte.ada, &norte.vera);
    let token = IndexToken {
        field: 1,
        token: named(7),
    };
    for number in 1..=5 {
        // A reviewer reads reports, and no notes.
        let sealed = match number {
            2 | 3 => vera.seal(note(number), "text", &[ada]),
            _ => {
                let report = place(NORTE, RecordKind::Report, number);
                vera.seal(report, "text", &[ada, &norte.rita])
            }
        };
        let record = NewRecord {
            tokens: vec![token],
            ..sent(&sealed)
        };
        town.write(vera, NORTE, &record).await.done();
    }
    let path = format!("/hubs/{NORTE}/search");
    let search = async |person, limit, after| {
        let request = SearchRequest {
            tokens: vec![token],
            after,
            limit: Some(limit),
        };
        let answer: SearchAnswer = town.post(person, &path, &request).await.read();
        let records = answer.records.iter().map(|record| record.0[0]).collect();
        (records, answer.next)
    };
    let is = |records: &[u8], next: Option<u8>| (records.to_vec(), next.map(named));
    assert_eq!(search(ada, 2, None).await, is(&[1, 2], Some(2)));
    assert_eq!(search(ada, 2, Some(named(2))).await, is(&[3, 4], Some(4)));
    assert_eq!(search(ada, 2, Some(named(4))).await, is(&[5], None));
    assert_eq!(search(ada, 0, None).await, is(&[1], Some(1)));
    assert_eq!(
        search(ada, 4_000_000, None).await,
        is(&[1, 2, 3, 4, 5], None)
    );
    // Nothing tells whom they are not sealed to that others have the word, too.
    assert_eq!(
        search(&norte.rita, 1, Some(named(1))).await,
        is(&[4], Some(4))
    );
    assert_eq!(
        search(&norte.rita, 3, Some(named(1))).await,
        is(&[4, 5], None)
    );
    let malformed = r#"{"tokens":[{"field":1,"token":"07"}],"after":"07"}"#;
    let answer = town.send(ada, "POST", &path, malformed.into()).await;
    answer.refused(400);
}
