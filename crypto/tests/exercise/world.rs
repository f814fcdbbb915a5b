//! Two people, a hotline and what they have sealed: always the same bytes, so that a fuzzer starts
//! from genuine messages and finds its way back to a failure.

use std::collections::{BTreeMap, BTreeSet};

use crypto::backup::{BackupFacts, BackupId, BackupWriter};
use crypto::hub::{
    Change, EventEnvelope, HubEpoch, HubKey, Invitation as HubInvitation, Role, RoleFlags, RoleId,
    Roster, SealedSettings, SearchRoot, SettingsHead, Sigchains,
};
use crypto::identity::{
    DeviceKeys, InviteProof, ItemsKey, LoginChallenge, Puk, Reader, RequestFacts, Sigchain,
    TransportAttestation,
};
use crypto::provisioning::{Invitation, InvitationKind, NewDevice, OldDevice};
use crypto::record::{
    Erasure, Export, ExportFacts, KnownDevice, OpeningKey, RecordHeader, RecordKind, RecordPlace,
    RecordWriter,
};
use crypto::sframe::{CallKey, CallKeyOffer, FrameSealer};
use crypto::transparency::{Leaf, Log, LogSigner, NoteName, Subject, Witness, WitnessSigner};
use crypto::vault::{
    BackupCode, BackupSet, ChosenPasscode, Escrow, RecoveryKey, ServerShare, Share, Shares, Vault,
    VaultId,
};
use crypto::{
    CallId, CallerIdKey, DeviceId, Entropy, EntropyError, HubId, ReaderSecretKey, RecordId,
    SigningKey, UserId, VoicemailMeta, VoicemailWriter,
};

pub const HUB: HubId = HubId::from_bytes([0xaa; 16]);
pub const CALL: CallId = CallId::from_bytes([0xcc; 16]);
pub const ORIGIN: &str = "https://hotline.example";
pub const INVITE_CODE: &[u8] = b"an invite's code";
pub const NOW_MS: u64 = 1_763_690_000_000;
pub const NOW_S: u64 = NOW_MS / 1_000;
pub const WORDS: &[u8] = b"Calls every Thursday; is afraid of his brother.";
pub const SOUND: &[u8] = &[7; 500];
pub const PAPER: &[u8] = &[5; 48];
pub const DRAFT: &str = "note of call 7";
pub const NOTE: RecordPlace = RecordPlace {
    kind: RecordKind::Note,
    hub: HUB,
    record: RecordId::from_bytes([0xbb; 16]),
};
pub const ADMIN: RoleId = RoleId(1);
pub const VOLUNTEER: RoleId = RoleId(2);
/// By which Ben has come in.
pub const INVITED: HubInvitation = HubInvitation {
    id: [2; 16],
    role: VOLUNTEER,
};

/// Numbers that look random and never change.
pub struct Still(pub u64);

impl Entropy for Still {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            // xorshift64*, which has no zero state.
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            *byte = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8;
        }
        Ok(())
    }
}

pub struct Person {
    pub keys: DeviceKeys,
    pub seed: [u8; 32],
    pub puk: Puk,
    pub items: ItemsKey,
    pub chain: Sigchain,
    pub secret: ReaderSecretKey,
}

impl Person {
    fn new(number: u8) -> Self {
        let seed = [number; 32];
        let keys = device(number, number);
        let mut chain = Sigchain::create(&keys, 1).unwrap();
        let puk = chain.rotate_puk(&keys, None, 2, &mut Still(9)).unwrap();
        Self {
            items: ItemsKey::generate(&puk, &mut Still(10)).unwrap(),
            secret: puk.reader_key(),
            keys,
            seed,
            puk,
            chain,
        }
    }

    pub fn known(&self) -> KnownDevice {
        KnownDevice {
            user: self.keys.user(),
            device: self.keys.device(),
            key: self.keys.signing_key().verifying_key(),
        }
    }

    pub fn reader(&self) -> Reader {
        self.puk.reader()
    }

    pub fn opening_key(&self) -> OpeningKey<'_> {
        OpeningKey::PerUserKey {
            user: self.keys.user(),
            generation: self.puk.generation(),
            secret: &self.secret,
        }
    }
}

/// Device `number` of a person, whose seed is that number again and again.
pub fn device(person: u8, number: u8) -> DeviceKeys {
    let (user, id) = ([person; 16], [number; 16]);
    DeviceKeys::from_seed(
        UserId::from_bytes(user),
        DeviceId::from_bytes(id),
        &[number; 32],
    )
}

pub struct World {
    pub ana: Person,
    pub ben: Person,
    pub chains: Sigchains,
    pub roster: Roster,
    pub hub_key: HubKey,
    pub epoch: HubEpoch,
    pub settings: SettingsHead,
    pub envelope: EventEnvelope,
    pub facts: RequestFacts,
    pub call_key: CallKey,
    pub bens_call_key: CallKey,
    pub recovery: RecoveryKey,
    pub code: BackupCode,
    pub caller_ids: CallerIdKey,
    pub log: Log,
    pub signer: LogSigner,
    pub witness: WitnessSigner,
    pub allowed: BTreeSet<UserId>,
    /// A genuine message of each kind.
    pub genuine: BTreeMap<&'static str, Vec<u8>>,
}

impl World {
    pub fn new() -> Self {
        let (ana, ben) = (Person::new(1), Person::new(2));
        let chains = [&ana, &ben].map(|person| (person.keys.user(), person.chain.clone()));
        let chains = Sigchains::from(chains);
        let mut roster = found(&ana, &ben, &chains);
        let hub_key = HubKey::generate(HUB, 1, &mut Still(11)).unwrap();
        let commitment = hub_key.commitment();
        let epoch = Change::HubKey {
            epoch: 1,
            commitment,
        };
        roster.change(&ana.keys, vec![epoch], &chains, 11).unwrap();
        let sealed = SealedSettings::seal(&hub_key, 1, WORDS, &mut Still(12)).unwrap();
        let change = vec![sealed.change()];
        roster.change(&ana.keys, change, &chains, 12).unwrap();
        let members = [ana.keys.card(), ben.keys.card()];
        let offer = CallKeyOffer::create(&ana.keys, CALL, 0, &members, &mut Still(13));
        let (offer, call_key) = offer.unwrap();
        let bens_call_key = offer.open(&ben.keys, CALL, ana.chain.state()).unwrap();
        let name = |text| NoteName::new(text).unwrap();
        let signing = |seed| SigningKey::from_seed(&[seed; 32]);
        let mut world = Self {
            epoch: *roster.state().epoch().unwrap(),
            settings: *roster.state().settings().unwrap(),
            envelope: EventEnvelope {
                sender: ana.keys.device(),
                transport_key: ana.keys.transport_key(HUB, 1).public_key(),
                kind: 20_001,
                created_at_s: NOW_S,
            },
            facts: RequestFacts::new("POST", "/notes", b"body", b"token").unwrap(),
            call_key,
            bens_call_key,
            recovery: RecoveryKey::generate(&mut Still(14)).unwrap(),
            code: BackupCode::generate_set(&mut Still(15)).unwrap()[0].clone(),
            caller_ids: CallerIdKey::from_bytes(&[6; 32]),
            log: Log::from_leaves(name("log.example/keys"), [&ana, &ben].map(leaf)),
            signer: LogSigner::new(name("log.example/keys"), signing(3)),
            witness: WitnessSigner::new(name("one.example/w"), signing(4)),
            allowed: [ana.keys.user(), ben.keys.user()].into(),
            genuine: BTreeMap::new(),
            ana,
            ben,
            chains,
            roster,
            hub_key,
        };
        world.keep("settings", sealed.encode());
        world.keep("call key", offer.encode());
        world.seal_for_people();
        world.seal_for_the_hub();
        world.seal_records();
        world.seal_files();
        world.seal_vaults();
        world.write_log();
        world.write_keys();
        world.converse(InvitationKind::Scanned, "scanned");
        world.converse(InvitationKind::Typed, "typed");
        world
    }

    /// Whether these are the bytes of that genuine message.
    pub fn is(&self, name: &str, bytes: &[u8]) -> bool {
        self.genuine[name] == bytes
    }

    fn keep(&mut self, name: &'static str, bytes: impl Into<Vec<u8>>) {
        self.genuine.insert(name, bytes.into());
    }

    fn seal_for_people(&mut self) {
        let (ana, entropy) = (&self.ana, &mut Still(20));
        let challenge = LoginChallenge::new(ORIGIN, ana.keys.device(), NOW_MS + 1_000, entropy);
        let challenge = challenge.unwrap();
        let login = challenge.answer(&ana.keys, ORIGIN, NOW_MS).unwrap();
        let request = self.facts.sign(&ana.keys, NOW_MS, entropy).unwrap();
        let invite = InviteProof::new(&ana.keys, &ana.chain, ORIGIN, INVITE_CODE).unwrap();
        let attested = TransportAttestation::new(&ana.keys, HUB, 1, entropy).unwrap();
        let items = ana.items.seal(&ana.puk, entropy).unwrap();
        let draft = ana.keys.seal_draft(DRAFT, WORDS, entropy).unwrap();
        let mut longer = ana.chain.clone();
        let (phone, tablet) = (&ana.keys, device(1, 3));
        longer
            .add_device(phone, &tablet.card(), Some(&ana.puk), 3, entropy)
            .unwrap();
        longer
            .attest_transport_key(&tablet, HUB, 1, 4, entropy)
            .unwrap();
        longer.revoke_device(phone, tablet.device(), 5).unwrap();
        longer
            .rotate_puk(phone, Some(&ana.puk), 6, entropy)
            .unwrap();
        let kept = [
            ("sigchain", longer.encode()),
            ("card", ana.keys.card().encode().to_vec()),
            ("challenge", challenge.encode()),
            ("login", login.encode()),
            ("request", request.encode()),
            ("invite", invite.encode()),
            ("attestation", attested.encode()),
            ("items key", items),
            ("draft", draft),
        ];
        self.genuine.extend(kept);
    }

    fn seal_for_the_hub(&mut self) {
        let (key, entropy) = (&self.hub_key, &mut Still(21));
        let root = SearchRoot::generate(HUB, entropy).unwrap();
        let wrap = key
            .wrap_for(&self.epoch, &self.ben.reader(), entropy)
            .unwrap();
        let mut sealer = FrameSealer::new(&self.call_key, entropy).unwrap();
        let invited = key.invite_secret(&INVITED);
        let voucher = invited.vouch(self.ben.keys.user(), self.ben.chain.head());
        let kept = [
            ("roster", self.roster.encode()),
            ("invite secret", invited.reveal().as_bytes().to_vec()),
            ("voucher", voucher.encode().to_vec()),
            ("hub key", wrap.encode()),
            (
                "event",
                key.seal_event(&self.envelope, WORDS, entropy).unwrap(),
            ),
            ("search root", root.seal(key, entropy).unwrap()),
            ("frame", sealer.seal(SOUND).unwrap()),
        ];
        self.genuine.extend(kept);
    }

    fn seal_records(&mut self) {
        let (ana, ben, entropy) = (&self.ana, &self.ben, &mut Still(22));
        let writer = RecordWriter::person(&ana.keys).with_items_key(&ana.items);
        let note = writer.seal(NOTE, WORDS, &[ben.reader()], entropy).unwrap();
        let facts = ExportFacts {
            hub: HUB,
            user: ben.keys.user(),
            export: RecordId::from_bytes([0xee; 16]),
            created_at_ms: NOW_MS,
        };
        let export = Export::seal(facts, WORDS, &[ben.reader()], entropy).unwrap();
        let server = SigningKey::from_seed(&[8; 32]);
        let header = RecordHeader::of_voicemail(
            HUB,
            NOTE.record,
            SOUND,
            DeviceId::from_bytes([9; 16]),
            &server,
        );
        let kept = [
            ("record", note.encode()),
            ("front", note.front().encode()),
            ("header", header.unwrap().encode()),
            (
                "erasure",
                Erasure::sign(note.front(), &ana.keys, NOW_MS).encode(),
            ),
            ("export", export.encode()),
        ];
        self.genuine.extend(kept);
    }

    fn seal_files(&mut self) {
        let (readers, entropy) = ([*self.ben.secret.public_key()], &mut Still(23));
        let meta = VoicemailMeta {
            hub: "night-line".to_owned(),
            recording: "01HXYZ".to_owned(),
            created_at_ms: NOW_MS,
            sample_rate_hz: 16_000,
        };
        let (mut writer, mut voicemail) = VoicemailWriter::new(&meta, &readers, entropy).unwrap();
        voicemail.extend(writer.push(SOUND));
        voicemail.extend(writer.finish());
        let facts = BackupFacts {
            id: BackupId::generate(entropy).unwrap(),
            created_at_ms: NOW_MS,
        };
        let (mut writer, mut backup) = BackupWriter::new(&facts, &readers, entropy).unwrap();
        backup.extend(writer.push(WORDS).unwrap());
        backup.extend(writer.finish().unwrap());
        self.keep("voicemail", voicemail);
        self.keep("backup", backup);
    }

    fn seal_vaults(&mut self) {
        let (user, entropy) = (self.ana.keys.user(), &mut Still(24));
        let (device, server) = (Share::generate(entropy), Share::generate(entropy));
        let shares = Shares::with_device(device.unwrap()).and_server(server.clone().unwrap());
        let pin = ChosenPasscode::new("593018").unwrap();
        let id = VaultId::generate(entropy).unwrap();
        let sealed = Vault::seal(id, &self.ana.seed, &pin, &shares, entropy).unwrap();
        let kept = ServerShare::new(id, server.unwrap(), &sealed.auth);
        let escrow = Escrow::seal(user, PAPER, &self.recovery, entropy).unwrap();
        let codes = BackupCode::generate_set(&mut Still(15)).unwrap();
        let entries = codes.map(|code| code.entry(user, PAPER, entropy).unwrap());
        self.keep("vault", sealed.vault.encode());
        self.keep("server share", kept.encode());
        self.keep("escrow", escrow.encode());
        self.keep("backup codes", BackupSet::new(entries).encode());
    }

    fn write_log(&mut self) {
        let signed = self.log.sign(&self.signer);
        let request = self.log.request(0, &signed).unwrap().to_body();
        let line = self.new_witness().add_checkpoint(&request, NOW_S).unwrap();
        let confirmed = signed.with_cosignatures(&line).unwrap();
        self.keep("leaf", self.log.leaves()[0].encode());
        self.keep("checkpoint", confirmed.as_str());
        self.keep("request to witness", request);
        self.keep("cosignature", line);
        self.keep("log key", self.signer.key().to_string());
        self.keep("witness key", self.witness.key().to_string());
        self.keep("log signer", self.signer.reveal().as_str());
        self.keep("witness signer", self.witness.reveal().as_str());
    }

    fn write_keys(&mut self) {
        self.keep("public key", self.ben.secret.public_key().to_string());
        self.keep("secret key", self.ben.secret.reveal().as_str());
        self.keep("caller ids", self.caller_ids.reveal().as_str());
        self.keep("recovery key", self.recovery.reveal().as_str());
        self.keep("backup code", self.code.reveal().as_str());
    }

    fn converse(&mut self, kind: InvitationKind, name: &'static str) {
        let said = Conversation::new(kind).messages();
        let names = match kind {
            InvitationKind::Scanned => [
                "scanned 1",
                "scanned 2",
                "scanned 3",
                "scanned 4",
                "scanned 5",
            ],
            InvitationKind::Typed => ["typed 1", "typed 2", "typed 3", "typed 4", "typed 5"],
        };
        let invitation = Conversation::new(kind).invitation().reveal();
        self.keep(name, invitation.as_str());
        self.genuine.extend(names.into_iter().zip(said));
    }

    /// One that has confirmed nothing.
    pub fn new_witness(&self) -> Witness {
        let mut witness = Witness::new(self.witness.clone());
        witness.watch(self.signer.key().clone());
        witness
    }
}

fn leaf(person: &Person) -> Leaf {
    Leaf {
        subject: Subject::User(person.keys.user()),
        head: person.chain.head(),
    }
}

fn found(ana: &Person, ben: &Person, chains: &Sigchains) -> Roster {
    let role = |admin| Role {
        flags: RoleFlags {
            admin,
            reviewer: false,
        },
        permissions: 7,
    };
    let join = |person: &Person, role| Change::AddMember {
        user: person.keys.user(),
        role,
        head: person.chain.head(),
    };
    let changes = vec![
        Change::DefineRole(ADMIN, role(true)),
        Change::DefineRole(VOLUNTEER, role(false)),
        join(ana, ADMIN),
        join(ben, VOLUNTEER),
    ];
    Roster::create(HUB, &ana.keys, changes, chains, 10).unwrap()
}

/// Two devices that meet, as often as one likes in the same words.
pub struct Conversation {
    pub new: NewDevice,
    pub old: OldDevice,
    commit: Vec<u8>,
}

impl Conversation {
    pub fn new(kind: InvitationKind) -> Self {
        let new = NewDevice::invite(kind, &mut Still(30)).unwrap();
        let (old, commit) = OldDevice::join(new.invitation().clone(), &mut Still(31)).unwrap();
        Self { new, old, commit }
    }

    pub fn invitation(&self) -> &Invitation {
        self.new.invitation()
    }

    /// All that is said, from the commitment to the payload.
    pub fn messages(self) -> [Vec<u8>; 5] {
        let (agreed, share) = self.new.receive_commit(&self.commit).unwrap();
        let (revealed, reveal) = self.old.receive_share(&share).unwrap();
        let (waiting, hello) = agreed
            .receive_reveal(&reveal, WORDS, &mut Still(32))
            .unwrap();
        let comparing = revealed.receive_hello(&hello).unwrap();
        let confirmed = comparing.confirm(&waiting.digits().reveal()).unwrap();
        let payload = confirmed.send(WORDS, &mut Still(33)).unwrap();
        [self.commit, share, reveal, hello, payload]
    }
}
