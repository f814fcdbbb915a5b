//! People with keys, and what they know about each other.

use std::collections::BTreeSet;

use crypto::identity::{DeviceKeys, Puk, Reader, Sigchain};
use crypto::record::{
    Expected, KnownDevice, NOBODY, OpeningKey, Position, RecordAuthor, RecordKind, RecordPlace,
    RecordWriter, SealedRecord,
};
use crypto::{
    DeviceId, Entropy, EntropyError, HubId, OsEntropy, ReaderSecretKey, RecordId, UserId,
};

pub const NOTE: RecordPlace = RecordPlace {
    kind: RecordKind::Note,
    hub: HubId::from_bytes([0xaa; 16]),
    record: RecordId::from_bytes([0xbb; 16]),
};
pub const WORDS: &[u8] =
    "Calls every Thursday; is afraid of his brother. ¿Volver a llamar?".as_bytes();

/// Gives the same to whoever begins with the same number.
pub struct Again(pub u8);

impl Entropy for Again {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

/// A person with one device and one generation of the per-user key.
pub struct Person {
    pub keys: DeviceKeys,
    pub seed: [u8; 32],
    pub puk: Puk,
    pub chain: Sigchain,
    secret: ReaderSecretKey,
}

impl Person {
    pub fn new(number: u8) -> Self {
        let user = UserId::from_bytes([number; 16]);
        let device = DeviceId::from_bytes([number | 0x80; 16]);
        let seed = [number ^ 0x55; 32];
        let keys = DeviceKeys::from_seed(user, device, &seed);
        let mut chain = Sigchain::create(&keys, 1).unwrap();
        let puk = chain.rotate_puk(&keys, None, 2, &mut OsEntropy).unwrap();
        let secret = puk.reader_key();
        Self {
            keys,
            seed,
            puk,
            chain,
            secret,
        }
    }

    pub fn user(&self) -> UserId {
        self.keys.user()
    }

    pub fn reader(&self) -> Reader {
        self.chain.state().reader().unwrap()
    }

    pub fn known(&self) -> KnownDevice {
        KnownDevice {
            user: self.user(),
            device: self.keys.device(),
            key: self.keys.signing_key().verifying_key(),
        }
    }

    pub fn author(&self) -> RecordAuthor {
        RecordAuthor::Person(self.known())
    }

    pub fn writer(&self) -> RecordWriter<'_> {
        RecordWriter::person(&self.keys)
    }

    pub fn key(&self) -> OpeningKey<'_> {
        OpeningKey::PerUserKey {
            user: self.user(),
            generation: self.puk.generation(),
            secret: &self.secret,
        }
    }

    pub fn secret(&self) -> &ReaderSecretKey {
        &self.secret
    }
}

/// A hotline with a volunteer who writes, an admin who may read, and a
/// volunteer who may not.
pub struct Hotline {
    pub author: Person,
    pub admin: Person,
    pub other: Person,
    pub allowed: BTreeSet<UserId>,
    pub signers: Vec<KnownDevice>,
}

impl Hotline {
    pub fn new() -> Self {
        let [author, admin, other] = [1, 2, 3].map(Person::new);
        Self {
            allowed: [author.user(), admin.user()].into(),
            signers: vec![admin.known(), other.known()],
            author,
            admin,
            other,
        }
    }

    pub fn expected(&self) -> Expected<'_> {
        Expected {
            place: NOTE,
            at_least: Position::START,
            author: self.author.author(),
            manifest_signers: &self.signers,
            allowed_readers: &self.allowed,
            former_readers: &NOBODY,
        }
    }

    pub fn note(&self) -> SealedRecord {
        self.note_at(NOTE, WORDS)
    }

    pub fn note_at(&self, place: RecordPlace, words: &[u8]) -> SealedRecord {
        let readers = [self.author.reader(), self.admin.reader()];
        let writer = self.author.writer();
        writer.seal(place, words, &readers, &mut OsEntropy).unwrap()
    }
}
