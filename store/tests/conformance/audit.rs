//! The trail: chained, told with the change, expiring from its old end.

use store::{
    AuditChain, AuditEntry, AuditFault, AuditHead, AuditKind, AuditLine, AuditSubject, Change,
    Changes, Store, StoreError,
};

use crate::database::{Database, chain};
use crate::folder::{answered, at, start};
use crate::vault::{ADMIN, NORTE, settled};

const TRAIL: AuditChain = AuditChain::Hub(NORTE);

fn entry(number: u64) -> AuditEntry {
    let kinds = AuditKind::ALL;
    AuditEntry {
        chain: TRAIL,
        at: at(number.cast_signed()),
        kind: kinds[usize::try_from(number).unwrap() % kinds.len()],
        actor: number.is_multiple_of(2).then_some(ADMIN),
        subject: match number % 3 {
            0 => AuditSubject::Whole,
            1 => AuditSubject::Call(number),
            _ => AuditSubject::User(ADMIN),
        },
    }
}

/// More than one page of them, and one in another chain.
async fn filled(database: &Database) -> Store {
    let store = settled(database).await;
    let mut changes: Changes = (1..=600)
        .map(|number| Change::Audited(entry(number)))
        .collect();
    changes.push(AuditEntry {
        chain: AuditChain::Installation,
        ..entry(1)
    });
    store.commit(changes).await.unwrap();
    store
}

async fn verdict(store: &Store) -> Result<store::AuditSummary, AuditFault> {
    store
        .unscoped()
        .verify_audit(TRAIL, chain, None)
        .await
        .unwrap()
}

pub async fn the_trail_is_kept_with_the_change_it_tells_of(database: Database) {
    let store = filled(&database).await;
    let before = store.unscoped().audit_heads().await.unwrap();
    let mut changes: Changes = Change::CallEnded(Box::new(answered(1))).into();
    changes.push(entry(601));
    store.commit(changes.clone()).await.unwrap();
    // The call has its outcome already, so the entry must not be kept either.
    changes.push(entry(602));
    let refused = store.commit(changes).await;
    assert!(matches!(refused, Err(StoreError::AlreadyEnded { .. })));
    // Told again after a lost answer.
    store.commit(entry(601).into_change()).await.unwrap();
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let rows = admin.audit(599, 10).await.unwrap();
    let entries: Vec<_> = rows.iter().map(|line| (line.seqno(), read(line))).collect();
    assert_eq!(entries, [(600, Some(entry(600))), (601, Some(entry(601)))]);
    let summary = verdict(&store).await.unwrap();
    assert_eq!((summary.verified, summary.expired), (601, 0));
    let heads = store.unscoped().audit_heads().await.unwrap();
    assert_eq!(heads.len(), 2);
    assert_eq!(heads[0], before[0], "the other chain is as it was");
    assert_eq!(Some(heads[1].1), summary.head);
    assert_eq!(store.unscoped().open_calls().await.unwrap(), []);
    store.close().await;
    // Without the hash function no entry is kept, and nothing beside it.
    let without = store::StoreOptions::new(database.engine().clone());
    let store = Store::open_with(without).await.unwrap();
    let mut changes: Changes = Change::CallStarted(start(2)).into();
    changes.push(entry(603));
    let refused = store.commit(changes).await;
    assert!(matches!(refused, Err(StoreError::NoAuditHash)));
    assert_eq!(store.unscoped().open_calls().await.unwrap(), []);
}

fn read(line: &AuditLine) -> Option<AuditEntry> {
    match line {
        AuditLine::Entry(row) => Some(row.entry),
        AuditLine::Unreadable { .. } => None,
    }
}

trait IntoChange {
    fn into_change(self) -> Changes;
}

impl IntoChange for AuditEntry {
    fn into_change(self) -> Changes {
        Change::Audited(self).into()
    }
}

pub async fn a_changed_trail_is_noticed(database: Database) {
    let store = filled(&database).await;
    let head = verdict(&store).await.unwrap().head.unwrap();
    let kept = store
        .unscoped()
        .verify_audit(TRAIL, chain, Some(head))
        .await;
    assert!(kept.unwrap().is_ok());
    let foreign = AuditHead {
        hash: [0; 32],
        ..head
    };
    let rewritten = store
        .unscoped()
        .verify_audit(TRAIL, chain, Some(foreign))
        .await;
    assert_eq!(
        rewritten.unwrap(),
        Err(AuditFault::Rewritten { seqno: head.seqno })
    );
    for (tamper, undo, fault) in [
        (
            "UPDATE audit SET kind = kind + 1 WHERE seqno = 17",
            "UPDATE audit SET kind = kind - 1 WHERE seqno = 17",
            AuditFault::Changed { seqno: 17 },
        ),
        (
            "UPDATE audit SET at = at + 1 WHERE seqno = 512",
            "UPDATE audit SET at = at - 1 WHERE seqno = 512",
            AuditFault::Changed { seqno: 512 },
        ),
        (
            "UPDATE audit SET kind = kind + 30000 WHERE seqno = 18",
            "UPDATE audit SET kind = kind - 30000 WHERE seqno = 18",
            AuditFault::Changed { seqno: 18 },
        ),
        (
            "UPDATE audit SET subject_kind = subject_kind + 90 WHERE seqno = 19",
            "UPDATE audit SET subject_kind = subject_kind - 90 WHERE seqno = 19",
            AuditFault::Changed { seqno: 19 },
        ),
        (
            "UPDATE audit_head SET seqno = seqno - 1",
            "UPDATE audit_head SET seqno = seqno + 1",
            AuditFault::End,
        ),
        (
            "DELETE FROM audit WHERE seqno = 600",
            "SELECT 1",
            AuditFault::End,
        ),
        (
            "DELETE FROM audit WHERE seqno = 300",
            "SELECT 1",
            AuditFault::Missing { seqno: 300 },
        ),
    ] {
        database.tamper(tamper).await;
        assert_eq!(verdict(&store).await, Err(fault), "{tamper}");
        database.tamper(undo).await;
    }
}

pub async fn a_trail_that_grows_and_expires_meanwhile_is_whole(database: Database) {
    let store = filled(&database).await;
    let over = std::cell::Cell::new(false);
    let writing = async {
        for number in 601..=900 {
            store.commit(entry(number).into_change()).await.unwrap();
            if number.is_multiple_of(3) {
                let before = at((number - 550).cast_signed());
                let expired = store.expire_audit(TRAIL, before, at(5_000)).await;
                assert!(expired.unwrap() > 0);
            }
        }
        over.set(true);
    };
    let verifying = async {
        let mut verified = 0;
        while !over.get() {
            let found = verdict(&store).await;
            assert!(found.is_ok(), "{found:?} after {verified} times");
            verified += 1;
        }
        assert!(verified > 1);
    };
    tokio::join!(writing, verifying);
    database
        .tamper("UPDATE audit SET at = at + 1 WHERE seqno = 870")
        .await;
    let found = verdict(&store).await;
    assert_eq!(found, Err(AuditFault::Changed { seqno: 870 }));
}

pub async fn what_is_left_of_an_expired_trail_verifies(database: Database) {
    let store = filled(&database).await;
    let whole = verdict(&store).await.unwrap();
    assert_eq!(
        store.expire_audit(TRAIL, at(101), at(900)).await.unwrap(),
        100
    );
    let middle = store.unscoped().audit_heads().await.unwrap()[1].1;
    assert_eq!(
        store.expire_audit(TRAIL, at(101), at(901)).await.unwrap(),
        0
    );
    assert_eq!(
        store.expire_audit(TRAIL, at(251), at(902)).await.unwrap(),
        150
    );
    let summary = verdict(&store).await.unwrap();
    // The two expiries were told after the last of them.
    assert_eq!((summary.verified, summary.expired), (352, 250));
    assert_eq!(summary.head.unwrap().seqno, 602);
    let kept = store
        .unscoped()
        .verify_audit(TRAIL, chain, [middle, whole.head.unwrap()])
        .await;
    let kept = kept.unwrap().unwrap();
    assert_eq!((kept.compared, kept.uncompared), (2, vec![]));
    heads_of_what_expired(&store).await;
    // What expired cannot be swapped for something else.
    database
        .tamper("UPDATE audit_segment SET hash = (SELECT hash FROM audit WHERE seqno = 400) WHERE last = 250")
        .await;
    assert_eq!(
        verdict(&store).await,
        Err(AuditFault::Changed { seqno: 251 })
    );
    // All of it may expire, and the next entry still follows the last.
    let store = {
        store.close().await;
        let database = database.another().await;
        let store = filled(&database).await;
        assert_eq!(
            store
                .expire_audit(TRAIL, at(9_999), at(10_000))
                .await
                .unwrap(),
            600
        );
        store.commit(entry(601).into_change()).await.unwrap();
        let summary = verdict(&store).await.unwrap();
        assert_eq!((summary.verified, summary.expired), (2, 600));
        store
    };
    store.close().await;
}

/// Entries up to 100 and up to 250 expired from the trail.
async fn heads_of_what_expired(store: &Store) {
    let head = |seqno| AuditHead {
        seqno,
        hash: [0; 32],
    };
    let verified = |kept: Vec<AuditHead>| store.unscoped().verify_audit(TRAIL, chain, kept);
    let within = verified(vec![head(3), head(101)]).await.unwrap().unwrap();
    assert_eq!((within.compared, within.uncompared), (0, vec![3, 101]));
    for (kept, fault) in [
        (head(0), AuditFault::Rewritten { seqno: 0 }),
        (head(100), AuditFault::Rewritten { seqno: 100 }),
        (head(250), AuditFault::Rewritten { seqno: 250 }),
        (head(251), AuditFault::Rewritten { seqno: 251 }),
        (head(700), AuditFault::Cut { seqno: 700 }),
    ] {
        assert_eq!(verified(vec![kept]).await.unwrap(), Err(fault));
    }
    let two = AuditHead {
        hash: [1; 32],
        ..head(3)
    };
    let contradiction = verified(vec![head(3), two]).await.unwrap();
    assert_eq!(contradiction, Err(AuditFault::Rewritten { seqno: 3 }));
}

pub async fn what_is_said_to_have_expired_must_be_told(database: Database) {
    let store = filled(&database).await;
    database
        .tamper(
            "INSERT INTO audit_segment (chain, last, hash, last_at, expired_at) \
             SELECT chain, seqno, hash, at, 900 FROM audit WHERE seqno = 11",
        )
        .await;
    let hidden = Err(AuditFault::Untold { seqno: 11 });
    assert_eq!(verdict(&store).await, hidden);
    database.tamper("DELETE FROM audit WHERE seqno <= 11").await;
    assert_eq!(verdict(&store).await, hidden);
    database.tamper("UPDATE audit_segment SET last = -1").await;
    assert!(verdict(&store).await.is_err());
}

pub async fn a_trail_that_was_emptied_is_noticed(database: Database) {
    let store = settled(&database).await;
    let installation = AuditChain::Installation;
    let verdict = || store.unscoped().verify_audit(installation, chain, None);
    // As it is before the first hotline.
    assert_eq!(verdict().await.unwrap().unwrap().head, None);
    let applied = Change::HotlineApplied {
        hash: "1".to_owned(),
        body: store::HotlineBody(String::new()),
        applied_at: at(1),
    };
    store.commit(applied.into()).await.unwrap();
    assert_eq!(verdict().await.unwrap(), Err(AuditFault::Emptied));
    store.commit(entry(1).into_change()).await.unwrap();
    // Whose end alone was taken away, is looked at all the same.
    let chains = store.unscoped().audit_chains().await.unwrap();
    assert_eq!(
        chains.len(),
        1 + store.unscoped().hubs().await.unwrap().len()
    );
    assert!(chains.contains(&installation) && chains.contains(&TRAIL));
}

pub async fn an_entry_that_cannot_be_read_is_listed_as_such(database: Database) {
    let store = filled(&database).await;
    database
        .tamper("UPDATE audit SET kind = 30000 WHERE seqno = 2")
        .await;
    let rows = store.unscoped().audit_lines(TRAIL, 0, 3).await.unwrap();
    let entries: Vec<_> = rows.iter().map(|line| (line.seqno(), read(line))).collect();
    assert_eq!(
        entries,
        [(1, Some(entry(1))), (2, None), (3, Some(entry(3)))]
    );
    let unreadable = AuditLine::Unreadable {
        seqno: 2,
        at: Some(at(2)),
    };
    assert_eq!(rows[1], unreadable);
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    assert_eq!(admin.audit(1, 1).await.unwrap(), [unreadable]);
}

pub async fn all_trails_let_go_of_their_old_part_and_tell(database: Database) {
    let store = filled(&database).await;
    let all = store.unscoped().audit_chains().await.unwrap();
    let expired = store.expire_audits(&all, at(101), at(1000)).await.unwrap();
    assert_eq!(
        expired,
        [(AuditChain::Installation, 1), (TRAIL, 100)],
        "the other chain had one old entry"
    );
    let again = store.expire_audits(&all, at(101), at(1001)).await.unwrap();
    assert_eq!(again, []);
    let reader = store.reader();
    for (trail, verified, expired) in [(AuditChain::Installation, 1, 1), (TRAIL, 501, 100)] {
        let summary = reader
            .unscoped()
            .verify_audit(trail, chain, None)
            .await
            .unwrap();
        let summary = summary.unwrap();
        assert_eq!((summary.verified, summary.expired), (verified, expired));
        let last = summary.head.unwrap().seqno - 1;
        let told = reader.unscoped().audit_trail(trail, last, 9).await.unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].entry.kind, AuditKind::AuditExpired);
    }
}
