//! A person at their device: how they come in, unlock it, and log in and out.

use crypto::{DeviceId, Entropy, OsEntropy, UserId};
use crypto_session::{
    NewVault, RecoverySheet, Refusal, Session, Unlocking, VaultFacts, VaultShares,
};
use protocol::{
    Blob, BootstrapRequest, EntryCode, Id, InviteCode, InviteOffer, InviteRedemption,
    ItemsKeyAdded, ItemsKeys, Me, PersonSigchain, ShareAnswer, ShareProposal, ShareRequest, Tokens,
    Welcome,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::folder::{DeviceFile, Folder, Invitation, Seen, Server};
use crate::line::Line;
use crate::wire::{Answer, Wire};

const SHARE_BYTES: usize = 32;
/// Names the sealed profile.
const PROFILE: &str = "profile";

/// A person at their unlocked device.
pub struct Client {
    /// The device's keys and its connection.
    pub line: Line,
    /// The recovery key of who has just come in, to be written down.
    pub paper: Option<Zeroizing<String>>,
    pub(crate) folder: Folder,
    pub(crate) device: DeviceFile,
    pub(crate) seen: Seen,
}

/// A device that has keys, and that no server knows yet.
pub(crate) struct Fresh {
    pub(crate) folder: Folder,
    pub(crate) server: Server,
    pub(crate) line: Line,
    /// Of a new person.
    pub(crate) paper: Option<RecoverySheet>,
}

impl Fresh {
    /// New keys, of a new person or of `user`.
    pub(crate) fn new(
        folder: Folder,
        server: Server,
        user: Option<UserId>,
    ) -> Result<Self, Failure> {
        if folder.is_taken() {
            return Err(Failure::Misused("a device lives in this folder".to_owned()));
        }
        let wire = Wire::new(&server.origin, &server.ca_pem)?;
        Ok(Self {
            line: Line::new(wire, Session::create(user)?),
            folder,
            server,
            paper: None,
        })
    }

    /// New keys of a new person, with their first device list and their recovery key on it; and
    /// its escrow.
    fn person(folder: Folder, server: Server) -> Result<(Self, Blob), Failure> {
        let mut fresh = Self::new(folder, server, None)?;
        let now = fresh.line.now_ms();
        fresh.line.session.begin_sigchain(now)?;
        let paper = fresh.line.session.make_recovery_key(now)?;
        let escrow = Blob(paper.escrow.clone());
        fresh.paper = Some(paper);
        Ok((fresh, escrow))
    }

    /// What this person is called, sealed for themselves.
    fn profile(&mut self, name: &str) -> Result<Blob, Failure> {
        let sealed = self.line.session.seal_draft(PROFILE, name.as_bytes())?;
        Ok(Blob(sealed))
    }

    /// Moves into the folder, and leaves with the server what only it and the PIN together open.
    pub(crate) fn settle(mut self, pin: &str) -> Result<Client, Failure> {
        let share = new_share()?;
        let shares = VaultShares {
            device: Some(&share),
            ..VaultShares::default()
        };
        let session = &mut self.line.session;
        let device = DeviceFile {
            user: Id(*session.user().as_bytes()),
            device: Id(*session.device().as_bytes()),
            vault: Blob(session.seal_vault(pin, shares)?.vault),
            device_share: Blob(share),
            server: self.server,
            server_share: None,
        };
        self.folder.keep_device(&device)?;
        let paper = self.paper.as_ref();
        let mut client = Client {
            paper: paper.map(|paper| Zeroizing::new(paper.reveal().to_owned())),
            seen: self.folder.seen()?,
            folder: self.folder,
            line: self.line,
            device,
        };
        client.login()?;
        client.share_with_server(pin)?;
        Ok(client)
    }

    fn welcomed(self, welcome: Welcome, pin: &str) -> Result<Client, Failure> {
        if welcome.user.0 != *self.line.session.user().as_bytes() {
            let lie = "it welcomes another person than the one who came";
            return Err(Failure::Contradiction(lie.to_owned()));
        }
        let mut client = self.settle(pin)?;
        client.keep_items_key()?;
        Ok(client)
    }
}

impl Client {
    /// Becomes the first admin, with the code that the server printed.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn bootstrap(
        folder: Folder,
        server: Server,
        code: &str,
        pin: &str,
        name: &str,
    ) -> Result<Self, Failure> {
        let (mut fresh, recovery_escrow) = Fresh::person(folder, server)?;
        let profile = fresh.profile(name)?;
        let Line { session, wire, .. } = &fresh.line;
        let request = BootstrapRequest {
            recovery_escrow,
            code: EntryCode::new(code),
            sigchain: Blob(session.sigchain()?),
            profile,
            proof: Blob(session.redeem_invite(code, wire.origin())?),
        };
        let welcome = wire.open("/bootstrap", &request)?.json()?;
        fresh.welcomed(welcome, pin)
    }

    /// Comes in by an invitation. An admin must then take this person in.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn redeem(
        folder: Folder,
        invitation: &Invitation,
        pin: &str,
        name: &str,
    ) -> Result<Self, Failure> {
        let server = invitation.server.clone();
        let (mut fresh, recovery_escrow) = Fresh::person(folder, server)?;
        let profile = fresh.profile(name)?;
        let Line { session, wire, .. } = &fresh.line;
        let code = InviteCode {
            code: invitation.code.clone(),
        };
        let offer: InviteOffer = wire.open("/invites/offer", &code)?.json()?;
        if offer.hub != invitation.hub {
            let lie = "the invitation is good for another hub than the inviter said";
            return Err(Failure::Contradiction(lie.to_owned()));
        }
        let request = InviteRedemption {
            recovery_escrow,
            sigchain: Blob(session.sigchain()?),
            profile,
            proof: Blob(session.redeem_invite(offer.code.reveal(), wire.origin())?),
            voucher: Blob(session.vouch(&invitation.secret)?),
            code: offer.code,
        };
        let welcome = wire.open("/invites/redeem", &request)?.json()?;
        let mut client = fresh.welcomed(welcome, pin)?;
        let head = invitation.roster_head.clone();
        client.seen.rosters.insert(invitation.hub.to_string(), head);
        client.keep_seen()?;
        Ok(client)
    }

    /// Unlocks the device in `folder`.
    ///
    /// # Errors
    /// [`Failure::NotBelieved`] for a wrong PIN.
    pub fn unlock(folder: Folder, pin: &str) -> Result<Self, Failure> {
        let device = folder.device()?;
        let wire = Wire::new(&device.server.origin, &device.server.ca_pem)?;
        let share = Some(&device.device_share.0[..]);
        let unlocking = Unlocking::begin(&device.vault.0, pin, share, None)?;
        let server = match device.server_share {
            None => None,
            Some(vault) => Some(server_share(&wire, vault, &unlocking.server_proof()[..])?),
        };
        let user = UserId::from_bytes(device.user.0);
        let id = DeviceId::from_bytes(device.device.0);
        let session = unlocking.finish(server.as_deref(), user, id)?;
        let mut line = Line::new(wire, session);
        line.tokens = folder.tokens()?;
        Ok(Self {
            paper: None,
            seen: folder.seen()?,
            folder,
            device,
            line,
        })
    }

    /// Logs in, and loads this person's own keys.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn login(&mut self) -> Result<(), Failure> {
        self.line.login()?;
        self.resume()
    }

    /// Goes on with the login of an earlier run.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn resume(&mut self) -> Result<(), Failure> {
        let own: PersonSigchain = self.get("/me/sigchain")?;
        if own.user != self.user() {
            let lie = "it gives the device list of somebody else";
            return Err(Failure::Contradiction(lie.to_owned()));
        }
        self.believe_own(&own)?;
        let sealed: ItemsKeys = self.get("/me/items-keys")?;
        for key in sealed.keys {
            self.line.session.open_items_key(&key.0)?;
        }
        self.folder.keep_tokens(self.line.tokens.as_ref())
    }

    /// Logs out, here and at the server.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn logout(&mut self) -> Result<(), Failure> {
        self.ask("POST", "/session/logout", &[])?.bytes()?;
        self.keep_tokens(None)
    }

    /// Seals the device under another PIN with new shares, and changes this person's keys, to
    /// which the old PIN led. An admin of each hub then hands them its key
    /// ([`Client::wrap_hub_key`]).
    ///
    /// # Errors
    /// [`Failure`].
    pub fn change_pin(&mut self, pin: &str) -> Result<(), Failure> {
        let share = new_share()?;
        let now = self.line.now_ms();
        let session = &mut self.line.session;
        let changed = session.change_passcode(pin, with_server(&share), now)?;
        self.send_sigchain(None, Some(changed.items_key))?;
        self.keep_vault(changed.vault, share)
    }

    /// Seals the device under its PIN, from now on with a share that the server keeps.
    fn share_with_server(&mut self, pin: &str) -> Result<(), Failure> {
        let share = new_share()?;
        let sealed = self.line.session.seal_vault(pin, with_server(&share))?;
        self.keep_vault(sealed, share)
    }

    /// Overwrites the old vault once the server has the new one's share, and uses that at once:
    /// from then on the server gives nothing for the old one.
    fn keep_vault(&mut self, sealed: NewVault, share: Vec<u8>) -> Result<(), Failure> {
        let vault = Id(*VaultFacts::of(&sealed.vault)?.id.as_bytes());
        if let Some(part) = &sealed.server {
            let proposal = ShareProposal {
                share: Blob::from(part.share()),
                auth: Blob::from(part.proof()),
            };
            let path = format!("/vaults/{vault}/share");
            self.tell("PUT", &path, &proposal)?.bytes()?;
        }
        self.device.vault = Blob(sealed.vault);
        self.device.device_share = Blob(share);
        self.device.server_share = Some(vault);
        self.folder.keep_device(&self.device)?;
        match sealed.server {
            Some(part) => server_share(&self.line.wire, vault, part.proof()).map(drop),
            None => Ok(()),
        }
    }

    /// Who the server takes this for.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn me(&mut self) -> Result<Me, Failure> {
        self.get("/me")
    }

    /// This person's id.
    #[must_use]
    pub fn user(&self) -> Id {
        self.device.user
    }

    /// This device's id.
    #[must_use]
    pub fn device_id(&self) -> Id {
        self.device.device
    }

    /// The server that this device was told of.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.device.server
    }

    /// Takes other tokens, or none.
    ///
    /// # Errors
    /// [`Failure::Folder`].
    pub fn keep_tokens(&mut self, tokens: Option<Tokens>) -> Result<(), Failure> {
        self.folder.keep_tokens(tokens.as_ref())?;
        self.line.tokens = tokens;
        Ok(())
    }

    /// As [`Line::ask`]; a renewed login is kept.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer, Failure> {
        let before = self.line.tokens.clone();
        let answer = self.line.ask(method, path, body)?;
        if self.line.tokens != before {
            self.folder.keep_tokens(self.line.tokens.as_ref())?;
        }
        Ok(answer)
    }

    /// As [`Line::tell`].
    ///
    /// # Errors
    /// [`Failure`].
    pub fn tell(
        &mut self,
        method: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer, Failure> {
        let body = serde_json::to_vec(body).expect("the API's types are JSON");
        self.ask(method, path, &body)
    }

    /// As [`Line::get`].
    ///
    /// # Errors
    /// [`Failure`].
    pub fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failure> {
        self.ask("GET", path, &[])?.json()
    }

    /// Leaves the newest items key with the server, for this person's other devices.
    pub(crate) fn keep_items_key(&mut self) -> Result<(), Failure> {
        let key = Blob(self.line.session.sealed_items_key()?);
        self.tell("PUT", "/me/items-keys", &ItemsKeyAdded { key })?
            .bytes()?;
        Ok(())
    }

    pub(crate) fn keep_seen(&self) -> Result<(), Failure> {
        self.folder.keep_seen(&self.seen)
    }
}

/// What an app has in the system's key store.
fn new_share() -> Result<Vec<u8>, Failure> {
    let mut share = vec![0; SHARE_BYTES];
    OsEntropy.fill(&mut share).map_err(Refusal::from)?;
    Ok(share)
}

fn with_server(share: &[u8]) -> VaultShares<'_> {
    VaultShares {
        device: Some(share),
        server: true,
        prf: None,
    }
}

/// The server's share, against the proof that the code was entered.
fn server_share(wire: &Wire, vault: Id, proof: &[u8]) -> Result<Vec<u8>, Failure> {
    let request = ShareRequest {
        auth: Blob::from(proof),
    };
    let path = format!("/vaults/{vault}/share");
    match wire.open(&path, &request)?.json()? {
        ShareAnswer::Given { share } => Ok(share.0),
        ShareAnswer::Wrong { left } => Err(Failure::Misused(format!(
            "the PIN is wrong; {left} more tries"
        ))),
        ShareAnswer::Wait { until_ms } => Err(Failure::Misused(format!(
            "the next try is taken at {until_ms}"
        ))),
        ShareAnswer::Destroyed => Err(Failure::Misused(
            "too many wrong tries: this device opens with a recovery key only".to_owned(),
        )),
    }
}
