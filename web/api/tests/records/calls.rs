//! Calls, messages, bans.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use protocol::{
    AuditPage, AuditSubject, BanList, BytesQuery, CallPage, CallerErasure, CallerView, Id, NewBan,
    Topic, VoicemailList,
};
use store::{
    CallEnd, CallStart, Caller, CallerHash, Change, Changes, HotlinePlan, OutcomeClass, RungRow,
    Sealed, VaultChange, VoicemailStart,
};

use crate::town::{NORTE, Norte, SUR, alone};

/// A call of a hub, by the caller of this number.
async fn call(norte: &Norte, hub: &str, call: u64, caller: u8) {
    let start = CallStart {
        call,
        hub: Some(hub.to_owned()),
        trunk: Some("sip".to_owned()),
        caller: match caller {
            0 => Caller::Anonymous,
            number => Caller::Known(CallerHash([number; 32])),
        },
        started_at: Timestamp::now(),
    };
    let mut changes = Changes::new();
    changes.push(Change::CallStarted(start.clone()));
    changes.push(Change::CallEnded(Box::new(CallEnd {
        start,
        ended_at: Timestamp::now(),
        until_ring: None,
        wait: Duration::from_secs(3),
        talk: Duration::from_secs(60),
        voicemail: None,
        rung: vec![RungRow {
            volunteer: "vera".to_owned(),
            rang: Duration::from_secs(3),
            answered: true,
        }],
        answered_by: Some("vera".to_owned()),
        outcome: OutcomeClass::Answered,
        reason: None,
    })));
    let sealed = Sealed(vec![caller; 50]);
    changes.push(VaultChange::CallerSealed { call, sealed });
    norte.town.store.commit(changes).await.unwrap();
}

#[tokio::test]
async fn the_history_names_no_callers() {
    let norte = Norte::new().await;
    call(&norte, "norte", 1, 7).await;
    call(&norte, "norte", 2, 0).await;
    call(&norte, "sur", 3, 7).await;
    let path = format!("/hubs/{NORTE}/calls");
    let answer = norte.town.get(&norte.ada, &path).await;
    let page: CallPage = answer.read();
    let calls: Vec<_> = page
        .calls
        .iter()
        .map(|call| (call.call, call.anonymous))
        .collect();
    assert_eq!(calls, [(2, true), (1, false)]);
    let end = page.calls[1].end.as_ref().unwrap();
    assert_eq!((end.wait_ms, end.talk_ms), (3_000, 60_000));
    assert_eq!(end.rung[0].volunteer.as_deref(), Some("vera"));
    assert!(!answer.text().contains("BwcH"));
    // A reviewer does not learn names of volunteers; a volunteer learns nothing.
    let page: CallPage = norte.town.get(&norte.rita, &path).await.read();
    assert_eq!(page.calls[0].end.as_ref().unwrap().rung[0].volunteer, None);
    norte.town.get(&norte.vera, &path).await.refused(403);
    let page: CallPage = norte
        .town
        .get(&norte.ada, &format!("{path}?before=2"))
        .await
        .read();
    assert_eq!(page.calls.len(), 1);
}

/// Makes the volunteers `vera` and `vito` of the hotline file known as Vera and Vito.
async fn link_volunteers(norte: &Norte) {
    let people = [("vera", &norte.vera), ("vito", &norte.vito)];
    let mut changes = alone(Change::HotlinePlanned(Box::new(HotlinePlan {
        hubs: Vec::new(),
        volunteers: people.map(|(name, _)| name.to_owned()).to_vec(),
    })));
    for (name, person) in people {
        changes.push(Change::AccountLinked {
            volunteer: name.to_owned(),
            user: Some(store::UserId(person.id().0)),
        });
    }
    norte.town.store.commit(changes).await.unwrap();
}

/// How often the hub's trail tells of a report, and of whose about which call first.
async fn reports_told(norte: &Norte) -> (usize, Option<(Option<Id>, AuditSubject)>) {
    let path = format!("/hubs/{NORTE}/audit");
    let page: AuditPage = norte.town.get(&norte.ada, &path).await.read();
    let told = page.entries.into_iter();
    let told: Vec<_> = told.filter(|entry| entry.kind == "spam-reported").collect();
    let first = told.first().map(|entry| (entry.actor, entry.subject));
    (told.len(), first)
}

/// By whom each listed call was reported, the newest first.
async fn reported(norte: &Norte) -> Vec<(u64, Option<Option<Id>>)> {
    let path = format!("/hubs/{NORTE}/calls");
    let page: CallPage = norte.town.get(&norte.rita, &path).await.read();
    let calls = page.calls.into_iter();
    calls
        .map(|call| (call.call, call.reported.map(|report| report.by)))
        .collect()
}

#[tokio::test]
async fn a_call_is_reported_once_by_whoever_had_it_or_reads_the_history() {
    let norte = Norte::new().await;
    link_volunteers(&norte).await;
    for number in [1, 2] {
        call(&norte, "norte", number, 7).await;
    }
    call(&norte, "sur", 3, 7).await;
    let town = &norte.town;
    let report = async |person, call: u64| {
        let path = format!("/hubs/{NORTE}/calls/{call}/report");
        town.send(person, "POST", &path, vec![]).await
    };
    // Vera answered; Vito is another volunteer, and Rolf has nothing to do with calls.
    for person in [&norte.vito, &norte.rolf, &norte.otto] {
        report(person, 1).await.refused(403);
    }
    for unknown in [3, 4, u64::MAX] {
        report(&norte.vera, unknown).await.refused(404);
        report(&norte.ada, unknown).await.refused(404);
    }
    let other_hub = format!("/hubs/{SUR}/calls/1/report");
    let answer = town.send(&norte.vera, "POST", &other_hub, vec![]).await;
    answer.refused(403);
    assert_eq!(reports_told(&norte).await, (0, None));
    assert_eq!(reported(&norte).await, [(2, None), (1, None)]);

    let mut news = town.shared.news();
    let before = Timestamp::now().as_millisecond();
    report(&norte.vera, 1).await.done();
    let changed = (store::HubId(*NORTE.as_bytes()), Topic::Calls);
    assert_eq!(news.next().await, Some(Some(changed)));
    let page: CallPage = town
        .get(&norte.ada, &format!("/hubs/{NORTE}/calls"))
        .await
        .read();
    let at_ms = page.calls[1].reported.unwrap().at_ms;
    assert!(i64::try_from(at_ms).unwrap() >= before);
    // Again, by her and by others: nothing new, and the first stays.
    for person in [&norte.vera, &norte.ada, &norte.rita] {
        report(person, 1).await.done();
    }
    report(&norte.vito, 1).await.refused(403);
    let by_vera = Some(norte.vera.id());
    let told = Some((by_vera, AuditSubject::Call { call: 1 }));
    assert_eq!(reports_told(&norte).await, (1, told));
    assert_eq!(reported(&norte).await, [(2, None), (1, Some(by_vera))]);
    report(&norte.ada, 2).await.done();
    let by_ada = Some(norte.ada.id());
    assert_eq!(
        reported(&norte).await,
        [(2, Some(by_ada)), (1, Some(by_vera))]
    );
}

#[tokio::test]
async fn a_call_is_reported_while_it_goes_on() {
    let norte = Norte::new().await;
    link_volunteers(&norte).await;
    let town = &norte.town;
    let start = CallStart {
        call: 1,
        hub: Some("norte".to_owned()),
        trunk: None,
        caller: Caller::Anonymous,
        started_at: Timestamp::now(),
    };
    let started = alone(Change::CallStarted(start));
    town.store.commit(started).await.unwrap();
    let path = format!("/hubs/{NORTE}/calls/1/report");
    // It still rings.
    let answer = town.send(&norte.vera, "POST", &path, vec![]).await;
    answer.refused(403);
    let answered = Change::CallAnswered {
        call: 1,
        volunteer: "vera".to_owned(),
    };
    town.store.commit(alone(answered)).await.unwrap();
    let answer = town.send(&norte.vito, "POST", &path, vec![]).await;
    answer.refused(403);
    town.send(&norte.vera, "POST", &path, vec![]).await.done();
    let by_vera = Some(norte.vera.id());
    assert_eq!(reported(&norte).await, [(1, Some(by_vera))]);
    // The end takes nothing away.
    call(&norte, "norte", 1, 0).await;
    assert_eq!(reported(&norte).await, [(1, Some(by_vera))]);
    town.send(&norte.vera, "POST", &path, vec![]).await.done();
    assert_eq!(reports_told(&norte).await.0, 1);
}

#[tokio::test]
async fn revealing_a_caller_is_told() {
    let norte = Norte::new().await;
    call(&norte, "norte", 1, 7).await;
    call(&norte, "sur", 2, 7).await;
    let path = |call| format!("/hubs/{NORTE}/calls/{call}/caller");
    let town = &norte.town;
    for person in [&norte.vera, &norte.rita] {
        town.send(person, "POST", &path(1), vec![])
            .await
            .refused(403);
    }
    town.send(&norte.ada, "POST", &path(2), vec![])
        .await
        .refused(404);
    town.send(&norte.ada, "POST", &path(u64::MAX), vec![])
        .await
        .refused(404);
    let told = |trail: &[String]| {
        trail
            .iter()
            .filter(|kind| *kind == "phone-revealed")
            .count()
    };
    assert_eq!(told(&town.trail(&norte.ada, NORTE).await), 0);
    let caller: CallerView = town.send(&norte.ada, "POST", &path(1), vec![]).await.read();
    assert_eq!(caller.sealed.unwrap().0, [7; 50]);
    assert_eq!(told(&town.trail(&norte.ada, NORTE).await), 1);
}

#[tokio::test]
async fn a_caller_is_forgotten_in_the_hub() {
    let norte = Norte::new().await;
    for number in [1, 2] {
        call(&norte, "norte", number, 7).await;
    }
    call(&norte, "sur", 3, 7).await;
    let town = &norte.town;
    let path = format!("/hubs/{NORTE}/calls/1/caller/erasure");
    let order = CallerErasure { keep_ban: false };
    town.post(&norte.rita, &path, &order).await.refused(403);
    town.post(&norte.ada, &path, &order).await.done();
    let path = format!("/hubs/{NORTE}/calls");
    let page: CallPage = town.get(&norte.ada, &path).await.read();
    assert!(page.calls.iter().all(|call| call.anonymous));
    let other = store::CallFilter {
        before: None,
        limit: 1,
    };
    let other = town
        .store
        .unscoped()
        .calls(Some("sur"), &other)
        .await
        .unwrap();
    assert_eq!(other[0].start().caller, Caller::Known(CallerHash([7; 32])));
    let path = format!("/hubs/{NORTE}/calls/2/caller/erasure");
    town.post(&norte.ada, &path, &order).await.refused(409);
    let trail = town.trail(&norte.ada, NORTE).await;
    assert_eq!(trail.last().unwrap(), "caller-erased");
}

/// A message in a file of its own, left in the call of the same number.
async fn message(norte: &Norte, hub: &str, number: u64, path: &str) -> PathBuf {
    let file = norte.town.folder.join(path);
    std::fs::create_dir_all(norte.town.folder.join("voicemail")).unwrap();
    std::fs::write(&file, [1; 100]).unwrap();
    let start = VoicemailStart {
        recording: number,
        hub: hub.to_owned(),
        path: path.to_owned(),
        created_at: Timestamp::now(),
    };
    let change = Change::VoicemailStarted(start);
    norte.town.store.commit(alone(change)).await.unwrap();
    file
}

#[tokio::test]
async fn a_forgotten_callers_messages_are_deleted() {
    let norte = Norte::new().await;
    let town = &norte.town;
    let mut files = Vec::new();
    for (number, hub, caller) in [(1, "norte", 7), (2, "norte", 8), (3, "sur", 7)] {
        call(&norte, hub, number, caller).await;
        let path = format!("voicemail/{number}.sealed");
        files.push(message(&norte, hub, number, &path).await);
    }
    // A second call of the same caller, with a message of which a crash took the file.
    call(&norte, "norte", 4, 7).await;
    let lost = message(&norte, "norte", 4, "voicemail/4.sealed").await;
    std::fs::remove_file(lost).unwrap();
    let order = CallerErasure { keep_ban: false };
    let path = format!("/hubs/{NORTE}/calls/1/caller/erasure");
    town.post(&norte.ada, &path, &order).await.done();
    let there = files.iter().map(|file| file.exists());
    assert_eq!(there.collect::<Vec<_>>(), [false, true, true]);
    let list = format!("/hubs/{NORTE}/voicemails");
    let messages: VoicemailList = town.get(&norte.ada, &list).await.read();
    let left = messages.messages.iter().map(|row| row.recording);
    assert_eq!(left.collect::<Vec<_>>(), [2]);
    let trail = town.trail(&norte.ada, NORTE).await;
    assert_eq!(
        trail[trail.len() - 3..],
        ["voicemail-deleted", "voicemail-deleted", "caller-erased"]
    );
    // A file that cannot be deleted is not forgotten.
    call(&norte, "norte", 5, 9).await;
    let start = VoicemailStart {
        recording: 5,
        hub: "norte".to_owned(),
        path: "../secret".to_owned(),
        created_at: Timestamp::now(),
    };
    let change = Change::VoicemailStarted(start);
    town.store.commit(alone(change)).await.unwrap();
    let path = format!("/hubs/{NORTE}/calls/5/caller/erasure");
    town.post(&norte.ada, &path, &order).await.refused(409);
    let caller = format!("/hubs/{NORTE}/calls/5/caller");
    let caller: CallerView = town.send(&norte.ada, "POST", &caller, vec![]).await.read();
    assert!(caller.sealed.is_some());
}

#[tokio::test]
async fn a_number_is_banned_by_a_call_and_unbanned_by_a_name() {
    let norte = Norte::new().await;
    call(&norte, "norte", 1, 7).await;
    call(&norte, "norte", 2, 0).await;
    call(&norte, "sur", 3, 8).await;
    let town = &norte.town;
    let path = format!("/hubs/{NORTE}/bans");
    let ban = |call| NewBan {
        call,
        expires_at_ms: None,
    };
    town.post(&norte.vera, &path, &ban(1)).await.refused(403);
    town.post(&norte.ada, &path, &ban(2)).await.refused(409);
    town.post(&norte.ada, &path, &ban(3)).await.refused(404);
    let past = NewBan {
        call: 1,
        expires_at_ms: Some(1),
    };
    town.post(&norte.ada, &path, &past).await.refused(400);
    town.post(&norte.ada, &path, &ban(1)).await.done();
    let in_force = town.store.unscoped().bans("norte", Timestamp::now()).await;
    assert_eq!(in_force.unwrap()[0].caller, CallerHash([7; 32]));
    let answer = town.get(&norte.ada, &path).await;
    let bans: BanList = answer.read();
    // Its name is not the keyed hash.
    assert_ne!(bans.bans[0].id.0, [7; 16]);
    let one = format!("{path}/{}", bans.bans[0].id);
    town.delete(&norte.rita, &one).await.refused(403);
    town.delete(&norte.ada, &one).await.done();
    town.delete(&norte.ada, &one).await.refused(404);
    let trail = town.trail(&norte.ada, NORTE).await;
    assert_eq!(
        trail[trail.len() - 2..],
        ["number-banned", "number-unbanned"]
    );
}

#[tokio::test]
async fn a_message_is_read_in_pieces_and_that_is_told() {
    let norte = Norte::new().await;
    let town = &norte.town;
    let body: Vec<u8> = (0..20_000_u32).map(|byte| byte as u8).collect();
    std::fs::create_dir_all(town.folder.join("voicemail")).unwrap();
    let file = town.folder.join("voicemail/1.sealed");
    std::fs::write(&file, &body).unwrap();
    for (recording, hub, path) in [
        (1, "norte", "voicemail/1.sealed"),
        (2, "sur", "voicemail/1.sealed"),
        (3, "norte", "../secret"),
    ] {
        let start = VoicemailStart {
            recording,
            hub: hub.to_owned(),
            path: path.to_owned(),
            created_at: Timestamp::now(),
        };
        let change = Change::VoicemailStarted(start);
        town.store.commit(alone(change)).await.unwrap();
    }
    let list = format!("/hubs/{NORTE}/voicemails");
    let messages: VoicemailList = town.get(&norte.rita, &list).await.read();
    let sizes = messages
        .messages
        .iter()
        .map(|row| (row.recording, row.size));
    assert_eq!(sizes.collect::<Vec<_>>(), [(3, None), (1, Some(20_000))]);
    let first: VoicemailList = town
        .get(&norte.rita, &format!("{list}?limit=1"))
        .await
        .read();
    assert_eq!((first.messages[0].recording, first.next), (3, Some(3)));
    let second: VoicemailList = town
        .get(&norte.rita, &format!("{list}?limit=1&before=3"))
        .await
        .read();
    assert_eq!((second.messages[0].recording, second.next), (1, Some(1)));
    let end: VoicemailList = town
        .get(&norte.rita, &format!("{list}?limit=1&before=1"))
        .await
        .read();
    assert_eq!((end.messages.len(), end.next), (0, None));
    town.get(&norte.vera, &list).await.refused(403);
    let bytes = |recording: u64, query: BytesQuery| {
        let (from, length) = (query.from, query.length);
        format!("{list}/{recording}/bytes?from={from}&length={length}")
    };
    let piece = |from, length| BytesQuery { from, length };
    let heard = |trail: &[String]| {
        trail
            .iter()
            .filter(|kind| *kind == "voicemail-heard")
            .count()
    };
    let rest = town
        .get(&norte.rita, &bytes(1, piece(10_000, 20_000)))
        .await;
    assert_eq!(rest.body, body[10_000..]);
    for beyond in [20_000, 1 << 63, u64::MAX] {
        let nothing = town.get(&norte.rita, &bytes(1, piece(beyond, 1))).await;
        nothing.done();
        assert!(nothing.body.is_empty());
    }
    assert_eq!(heard(&town.trail(&norte.ada, NORTE).await), 0);
    let first = town.get(&norte.rita, &bytes(1, piece(5, 100))).await;
    assert_eq!(first.body, body[5..105]);
    assert_eq!(heard(&town.trail(&norte.ada, NORTE).await), 1);
    for other in [2, 3, 4] {
        town.get(&norte.ada, &bytes(other, piece(0, 1)))
            .await
            .refused(404);
    }
    town.get(&norte.vera, &bytes(1, piece(0, 1)))
        .await
        .refused(403);
    let one = format!("{list}/1");
    town.delete(&norte.rita, &one).await.refused(403);
    town.delete(&norte.ada, &format!("/hubs/{SUR}/voicemails/1"))
        .await
        .refused(404);
    town.delete(&norte.ada, &one).await.done();
    assert!(!file.exists());
    town.delete(&norte.ada, &one).await.refused(404);
    let trail = town.trail(&norte.ada, NORTE).await;
    assert_eq!(trail.last().unwrap(), "voicemail-deleted");
}
