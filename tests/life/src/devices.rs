//! A person's devices: linked, revoked, and replaced by what is on paper.

use crypto::provisioning::{InvitationKind, RoomPass};
use crypto::{DeviceId, OsEntropy, UserId};
use crypto_session::{NewPairing, OldPairing, Pinned, Refusal, Session};
use protocol::{
    Blob, EscrowAnswer, EscrowRequest, Id, PersonSigchain, RoomEntry, RoomHeard, RoomMessage,
    RoomReading, SigchainUpdate,
};
use zeroize::Zeroizing;

use crate::client::{Client, Fresh};
use crate::failure::Failure;
use crate::folder::{Folder, Server};
use crate::line::Line;
use crate::wire::Wire;

/// Where the messages of the two devices stand in their conversation.
const COMMIT: u8 = 0;
const SHARE: u8 = 1;
const REVEAL: u8 = 2;
const HELLO: u8 = 3;
const PAYLOAD: u8 = 4;

/// A device that waits to be let in by another one of the same person.
pub struct NewDevice {
    folder: Folder,
    server: Server,
    room: Room,
    pairing: NewPairing,
}

/// A place in the room where two devices meet.
struct Room {
    wire: Wire,
    path: String,
    pass: RoomPass,
}

impl Room {
    fn new(wire: Wire, room: &[u8; 16]) -> Result<Self, Failure> {
        Ok(Self {
            wire,
            path: format!("/pairing/{}", Id(*room)),
            pass: RoomPass::generate(&mut OsEntropy).map_err(Refusal::from)?,
        })
    }

    fn pass(&self) -> Blob {
        Blob(self.pass.reveal().to_vec())
    }

    fn say(&self, message: Vec<u8>) -> Result<(), Failure> {
        let said = RoomMessage {
            pass: self.pass(),
            message: Blob(message),
        };
        let path = format!("{}/messages", self.path);
        self.wire.open(&path, &said)?.bytes()?;
        Ok(())
    }

    /// The server answers after a while also when nothing was said.
    fn hear(&self, place: u8) -> Result<Vec<u8>, Failure> {
        let path = format!("{}/heard", self.path);
        loop {
            let pass = self.pass();
            let heard: RoomHeard = self
                .wire
                .open(&path, &RoomReading { pass, place })?
                .json()?;
            if let Some(message) = heard.message {
                return Ok(message.0);
            }
        }
    }
}

impl NewDevice {
    /// Makes keys and opens a room. The person takes the text to their other device.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn invite(folder: Folder, server: Server, user: Id) -> Result<(Self, String), Failure> {
        let user = UserId::from_bytes(user.0);
        let fresh = Fresh::new(folder, server, Some(user))?;
        let pairing = NewPairing::invite(fresh.line.session, InvitationKind::Typed)?;
        let room = Room::new(fresh.line.wire, pairing.room().as_bytes())?;
        let pass = room.pass();
        room.wire.open(&room.path, &RoomEntry { pass })?.bytes()?;
        let text = pairing.invitation().to_owned();
        let new = Self {
            folder: fresh.folder,
            server: fresh.server,
            room,
            pairing,
        };
        Ok((new, text))
    }

    /// Meets the other device; the digits that the person compares there.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn digits(&mut self) -> Result<String, Failure> {
        for place in [COMMIT, REVEAL] {
            let heard = self.room.hear(place)?;
            self.room.say(self.pairing.receive(&heard)?)?;
        }
        let digits = self.pairing.digits();
        digits.ok_or_else(|| Failure::Misused("the devices have not met".to_owned()))
    }

    /// Moves in once the other device has let this one in.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn finish(self, pin: &str) -> Result<Client, Failure> {
        let payload = self.room.hear(PAYLOAD)?;
        let session = self.pairing.finish(&payload)?;
        let Server {
            log_key, witnesses, ..
        } = self.server.clone();
        if session.pinned() != Some(&Pinned::new(log_key, witnesses)?) {
            let lie = "the other device knows the server by other keys";
            return Err(Failure::Contradiction(lie.to_owned()));
        }
        let fresh = Fresh {
            paper: None,
            line: Line::new(self.room.wire, session),
            folder: self.folder,
            server: self.server,
        };
        fresh.settle(pin)
    }
}

impl Client {
    /// Lets another device in, whose text the person brought; `compare` gives the digits that
    /// they read there.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn link(&mut self, text: &str, compare: impl FnOnce() -> String) -> Result<(), Failure> {
        let session = &mut self.line.session;
        let (mut pairing, first) = OldPairing::join(session, InvitationKind::Typed, text)?;
        let room = Room::new(self.line.wire.clone(), pairing.room().as_bytes())?;
        let entry = RoomEntry { pass: room.pass() };
        self.tell("POST", &format!("{}/join", room.path), &entry)?
            .bytes()?;
        room.say(first)?;
        let reveal = pairing.receive_share(&room.hear(SHARE)?)?;
        room.say(reveal)?;
        pairing.receive_hello(&room.hear(HELLO)?)?;
        pairing.confirm(&compare())?;
        let now = self.line.now_ms();
        let Server {
            log_key, witnesses, ..
        } = self.server().clone();
        let pinned = Pinned::new(log_key, witnesses)?;
        let payload = pairing.admit(&mut self.line.session, Some(&pinned), now)?;
        self.send_sigchain(None, None)?;
        room.say(payload)
    }

    /// Revokes a device, and changes the key that it had.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn revoke(&mut self, device: Id) -> Result<(), Failure> {
        let now = self.line.now_ms();
        let session = &mut self.line.session;
        session.revoke_device(DeviceId::from_bytes(device.0), now)?;
        session.rotate_key(now)?;
        let items_key = session.sealed_items_key()?;
        self.send_sigchain(None, Some(items_key))
    }

    /// Makes a recovery key, for the person's eyes.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn make_recovery_key(&mut self) -> Result<Zeroizing<String>, Failure> {
        let now = self.line.now_ms();
        let sheet = self.line.session.make_recovery_key(now)?;
        self.send_sigchain(Some(sheet.escrow.clone()), None)?;
        Ok(Zeroizing::new(sheet.reveal().to_owned()))
    }

    /// Comes back with the key on paper, on a new device. All devices that `lost` names are
    /// revoked.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn recover(
        folder: Folder,
        server: Server,
        user: Id,
        text: &str,
        lost: &[Id],
        pin: &str,
    ) -> Result<Self, Failure> {
        let person = UserId::from_bytes(user.0);
        let mut fresh = Fresh::new(folder, server, Some(person))?;
        let wire = fresh.line.wire.clone();
        let asked = EscrowRequest { user };
        let escrow: EscrowAnswer = wire.open("/recovery/escrow", &asked)?.json()?;
        let mut paper = Line::new(wire, Session::recover(person, &escrow.escrow.0, text)?);
        paper.login()?;
        let own: PersonSigchain = paper.get("/me/sigchain")?;
        let now = paper.now_ms();
        paper.session.follow_sigchain(&own.sigchain.0, None)?;
        paper.session.adopt(&mut fresh.line.session, now)?;
        for device in lost {
            let device = DeviceId::from_bytes(device.0);
            paper.session.revoke_device(device, now)?;
        }
        paper.session.rotate_key(now)?;
        let update = SigchainUpdate {
            sigchain: Blob(paper.session.sigchain()?),
            recovery_escrow: None,
            items_key: Some(Blob(paper.session.sealed_items_key()?)),
        };
        paper.tell("PUT", "/me/sigchain", &update)?.bytes()?;
        fresh.settle(pin)
    }

    pub(crate) fn send_sigchain(
        &mut self,
        recovery_escrow: Option<Vec<u8>>,
        items_key: Option<Vec<u8>>,
    ) -> Result<(), Failure> {
        let update = SigchainUpdate {
            sigchain: Blob(self.line.session.sigchain()?),
            recovery_escrow: recovery_escrow.map(Blob),
            items_key: items_key.map(Blob),
        };
        self.tell("PUT", "/me/sigchain", &update)?.bytes()?;
        let head = Blob(self.line.session.head()?.to_vec());
        self.seen.people.insert(self.user().to_string(), head);
        self.keep_seen()
    }
}
