//! A load whose commits each touch several tables, and the proof that none of them is half there.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use store::{
    AuditChain, AuditEntry, AuditKind, AuditSubject, CallFilter, CallRow, Change, Changes,
    DeviceId, DeviceRow, HubId, HubRow, LoginChange, MAX_FOUND_PER_QUERY, MAX_SESSIONS_PER_DEVICE,
    MemberRow, RecordFilter, RecordId, RecordRow, Role, Sealed, SealedRecord, SecretHash,
    SessionId, SessionRow, Store, StoreError, Token, UserId, UserRow, UserStatus, VaultChange,
    Visibility,
};

use crate::folder::{answered, at, start};

const HUB: HubId = HubId([1; 16]);
const ADMIN: UserId = UserId([2; 16]);
const DEVICE: DeviceId = DeviceId([3; 16]);
const TRAIL: AuditChain = AuditChain::Hub(HUB);
const WORDS: [Token; 2] = [
    Token {
        field: 1,
        word: [1; 16],
    },
    Token {
        field: 2,
        word: [2; 16],
    },
];

/// Stands for the labelled hash of the program.
pub fn chain(previous: &[u8; 32], entry: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(previous).chain_update(entry);
    hash.finalize().into()
}

/// What the load commits, each with its entry in the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A call began, and its caller's number was sealed.
    Started,
    /// The next link of the roster, with its leaf in the key log.
    Linked,
    /// A record with its words.
    Written,
    /// A login, which may end an older one.
    LoggedIn,
    /// The call ended; who was rung.
    Ended,
}

impl Step {
    pub const ALL: [Self; 5] = [
        Self::Started,
        Self::Linked,
        Self::Written,
        Self::LoggedIn,
        Self::Ended,
    ];

    fn kind(self) -> AuditKind {
        match self {
            Self::Started => AuditKind::CallAnswered,
            Self::Linked => AuditKind::RoleChanged,
            Self::Written => AuditKind::NoteCreated,
            Self::LoggedIn => AuditKind::KeyLogin,
            Self::Ended => AuditKind::CallEnded,
        }
    }

    fn told(self, number: u64) -> AuditEntry {
        AuditEntry {
            chain: TRAIL,
            at: at(number.cast_signed()),
            kind: self.kind(),
            actor: Some(ADMIN),
            subject: AuditSubject::Call(number),
        }
    }
}

/// What was acknowledged, by number; links have numbers of their own.
pub type Told = BTreeMap<Step, BTreeSet<u64>>;

/// The line that acknowledges a step.
pub fn line(step: Step, number: u64) -> String {
    format!("kept {step:?} {number}")
}

/// Notes what a line acknowledges.
pub fn note(told: &mut Told, line: &str) {
    let Some((_, kept)) = line.split_once("kept ") else {
        return;
    };
    let (word, number) = kept.trim().split_once(' ').unwrap();
    let mut steps = Step::ALL.into_iter();
    let step = steps.find(|step| format!("{step:?}") == word).unwrap();
    told.entry(step)
        .or_default()
        .insert(number.parse().unwrap());
}

/// Works without end.
pub struct Load<'a> {
    store: &'a Store,
    links: u64,
}

impl<'a> Load<'a> {
    /// Goes on where the one before was killed.
    pub async fn open(store: &'a Store) -> Result<Self, StoreError> {
        store.commit(people()).await?;
        let links = store.unscoped().roster_links(HUB).await?.len() as u64;
        Ok(Self { store, links })
    }

    /// Makes each step once, and says so.
    pub async fn work(&mut self, mut say: impl FnMut(String)) -> Result<(), StoreError> {
        let call = self.store.allocate_call_ids(1).await?;
        for step in Step::ALL {
            let number = match step {
                Step::Linked => self.links + 1,
                _ => call,
            };
            self.store.commit(changes(step, number)).await?;
            if step == Step::Linked {
                self.links = number;
            }
            say(line(step, number));
        }
        Ok(())
    }
}

/// One hub with one admin; told again by each process.
fn people() -> Changes {
    let mut changes = Changes::new();
    changes.push(VaultChange::HubAdded(HubRow {
        id: HUB,
        name: "norte".to_owned(),
        created_at: at(0),
    }));
    changes.push(VaultChange::UserAdded(UserRow {
        id: ADMIN,
        profile: None,
        status: UserStatus::Active,
        super_admin: false,
        created_at: at(0),
    }));
    changes.push(VaultChange::DeviceAdded(DeviceRow {
        id: DEVICE,
        user: ADMIN,
        sign_key: [4; 32],
        added_at: at(0),
        revoked_at: None,
    }));
    changes.push(VaultChange::MemberSet(MemberRow {
        hub: HUB,
        user: ADMIN,
        role: Role::HubAdmin,
        since: at(0),
    }));
    changes
}

fn changes(step: Step, number: u64) -> Changes {
    let mut changes = Changes::new();
    match step {
        Step::Started => {
            changes.push(Change::CallStarted(start(number)));
            changes.push(VaultChange::CallerSealed {
                call: number,
                sealed: Sealed(number.to_be_bytes().to_vec()),
            });
        }
        Step::Linked => {
            changes.push(VaultChange::RosterExtended {
                hub: HUB,
                seqno: number,
                link: body(number),
            });
            changes.push(VaultChange::LogExtended {
                position: number - 1,
                leaf: body(number),
            });
        }
        Step::Written => changes.push(VaultChange::RecordAdded {
            record: Box::new(record(number)),
            tokens: WORDS.to_vec(),
        }),
        Step::LoggedIn => changes.push(LoginChange::SessionOpened(session(number))),
        Step::Ended => changes.push(Change::CallEnded(Box::new(answered(number)))),
    }
    changes.push(step.told(number));
    changes
}

fn body(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat(8)
}

fn id(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

fn record(number: u64) -> RecordRow {
    RecordRow {
        hub: HUB,
        id: RecordId(id(number)),
        revision: 1,
        kind: 1,
        parent: [0; 32],
        author: Some(ADMIN),
        call: Some(number),
        visibility: Visibility::Shared,
        sealed: Some(SealedRecord {
            header: Sealed(body(number)),
            body: Sealed(body(number)),
            manifest_revision: 1,
            manifest: Sealed(body(number)),
        }),
        created_at: at(number.cast_signed()),
    }
}

fn session(number: u64) -> SessionRow {
    let token = |which: u8| {
        let mut token = [which; 32];
        token[..8].copy_from_slice(&number.to_be_bytes());
        SecretHash(token)
    };
    SessionRow {
        id: SessionId(id(number)),
        user: ADMIN,
        device: DEVICE,
        sign_key: [4; 32],
        created_at: at(number.cast_signed()),
        seen_at: at(number.cast_signed()),
        access: token(1),
        access_expires_at: at(900_000_000),
        refresh: token(2),
        refresh_expires_at: at(900_000_000),
        view_key: None,
    }
}

/// Nothing acknowledged is missing, and of every commit either all is there or nothing.
pub async fn assert_kept(store: &Store, acknowledged: &Told) {
    let trail = trail(store).await;
    for (step, numbers) in acknowledged {
        let lost: Vec<_> = numbers.difference(&trail[step]).collect();
        assert!(lost.is_empty(), "{step:?} {lost:?}: acknowledged, and gone");
    }
    let (started, ended) = calls(store).await;
    assert_eq!(started, trail[&Step::Started]);
    assert_eq!(ended, trail[&Step::Ended]);
    let links = store.unscoped().roster_links(HUB).await.unwrap();
    let leaves = leaves(store).await;
    assert_eq!(links, leaves, "a leaf is there if its link is");
    let numbered: BTreeSet<u64> = (1..=links.len() as u64).collect();
    assert!(numbered.iter().map(|number| body(*number)).eq(links));
    assert_eq!(numbered, trail[&Step::Linked]);
    let view = store.scope(ADMIN, HUB).await.unwrap();
    assert_eq!(records(&view).await, trail[&Step::Written]);
    for word in WORDS {
        assert_eq!(having(&view, word).await, trail[&Step::Written]);
    }
    for call in &started {
        let sealed = view.caller_of(*call).await.unwrap().unwrap();
        assert_eq!(sealed.0, call.to_be_bytes());
    }
    let sessions = store.reader().sessions(ADMIN, at(0)).await.unwrap();
    let newest = trail[&Step::LoggedIn].iter().rev();
    let newest = newest.take(MAX_SESSIONS_PER_DEVICE as usize);
    assert!(
        sessions
            .into_iter()
            .eq(newest.map(|number| session(*number)))
    );
}

/// The steps that a whole trail tells of.
async fn trail(store: &Store) -> Told {
    let all = store.unscoped();
    let whole = all.verify_audit(TRAIL, chain, None).await.unwrap();
    assert!(whole.is_ok(), "{whole:?}");
    let mut told: Told = Step::ALL.map(|step| (step, BTreeSet::new())).into();
    let mut after = 0;
    loop {
        let page = all.audit_trail(TRAIL, after, 1000).await.unwrap();
        let Some(last) = page.last() else { return told };
        after = last.seqno;
        for row in page {
            let mut steps = Step::ALL.into_iter();
            let step = steps.find(|step| step.kind() == row.entry.kind).unwrap();
            let AuditSubject::Call(number) = row.entry.subject else {
                panic!("{row:?}");
            };
            assert!(told.entry(step).or_default().insert(number));
        }
    }
}

/// The calls that began, and of these those that ended.
async fn calls(store: &Store) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let (mut started, mut ended) = (BTreeSet::new(), BTreeSet::new());
    let mut filter = CallFilter {
        limit: 1000,
        ..CallFilter::default()
    };
    loop {
        let rows = store.unscoped().calls(None, &filter).await.unwrap();
        let Some(oldest) = rows.last() else {
            return (started, ended);
        };
        filter.before = Some(oldest.start().call);
        for row in rows {
            let call = row.start().call;
            started.insert(call);
            match row {
                CallRow::Open(row) => assert_eq!(row, start(call)),
                CallRow::Ended(row) => {
                    assert_eq!(*row, answered(call));
                    ended.insert(call);
                }
            }
        }
    }
}

async fn leaves(store: &Store) -> Vec<Vec<u8>> {
    let mut leaves = Vec::new();
    loop {
        let from = leaves.len() as u64;
        let page = store.unscoped().log_leaves(from).await.unwrap();
        if page.is_empty() {
            return leaves;
        }
        leaves.extend(page);
    }
}

async fn having(view: &store::Scoped<'_>, word: Token) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let mut after = None;
    loop {
        let page = view.search([word; 8], after, MAX_FOUND_PER_QUERY).await;
        let page = page.unwrap();
        after = page.last().copied();
        if after.is_none() {
            return found;
        }
        found.extend(page.iter().map(|record| number_of(record.0)));
    }
}

async fn records(view: &store::Scoped<'_>) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let mut filter = RecordFilter {
        limit: 500,
        ..RecordFilter::default()
    };
    loop {
        let rows = view.records(&filter).await.unwrap();
        let Some(last) = rows.last() else {
            return found;
        };
        filter.after = Some(last.id);
        for row in rows {
            let number = number_of(row.id.0);
            assert_eq!(row, record(number));
            found.insert(number);
        }
    }
}

fn number_of(id: [u8; 16]) -> u64 {
    u64::try_from(u128::from_be_bytes(id)).unwrap()
}
