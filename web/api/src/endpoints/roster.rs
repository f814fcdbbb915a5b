//! Rosters: read with the sigchains that they are verified with, and continued by admins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::Method;
use crypto::hub::{HubKeyWrap, RosterState, SealedSettings};
use crypto::transparency::{Leaf, Subject};
use protocol::{
    Blob, EpochSearchRoot, HubKey, HubKeyWraps, HubKeys, Id, MAX_LINKS_PER_REQUEST, PersonSigchain,
    RosterExtension, RosterHead, RosterPage, RosterQuery, SettingsPart, SigchainsPage,
    SigchainsQuery, Topic,
};
use sha2::{Digest, Sha256};
use store::{
    AuditKind, AuditSubject, Change, Changes, HubId, HubKeyRow, HubSettingRow, Permissions, Scoped,
    Sealed, UserId, VaultChange,
};

use super::hub::SETTINGS_TOPIC;
use crate::call::{Call, Json, Nothing, Query};
use crate::chains::{KnownRoster, person, user_of};
use crate::mirror::{self, Mirrored, Rows};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};

/// Longest request that continues a roster: 2048 members with a key each.
const MAX_EXTENSION_BYTES: usize = 2 << 20;
/// Most bytes of links or sigchains on a page, but for the first.
const MAX_PAGE_BYTES: usize = 1 << 20;
/// Most wraps in one request.
const MAX_WRAPS: usize = 4_096;
/// Longest sealed search root.
const MAX_SEARCH_ROOT_BYTES: usize = 1_024;

pub(crate) fn routes() -> Routes {
    let changes = Permissions::MANAGE_MEMBERS;
    let changes = changes | Permissions::MANAGE_ROLES | Permissions::MANAGE_HUB;
    Routes::default()
        .add(
            Method::GET,
            "/hubs/{hub}/roster",
            Access::Member,
            "Links of the roster",
            links,
        )
        .add_large(
            MAX_EXTENSION_BYTES,
            Method::POST,
            "/hubs/{hub}/roster",
            Access::HubAny(changes),
            "Continue the roster; whoever runs the installation begins it",
            extend,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/sigchains",
            Access::Member,
            "The sigchains that the roster is verified with",
            sigchains,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/sigchains/{user}",
            Access::Member,
            "One of these, or that of somebody who redeemed an invitation",
            sigchain,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/keys",
            Access::Member,
            "The hub's keys as they are sealed to me",
            keys,
        )
        .add(
            Method::POST,
            "/hubs/{hub}/keys",
            Access::Member,
            "Seal keys of the hub to a member who came later, or to my new key",
            wrap,
        )
}

async fn links(call: Call, Query(query): Query<RosterQuery>) -> Result<Json<RosterPage>, Refusal> {
    let after = u64::from(query.after.unwrap_or(0));
    let found = call.scope().await?.roster(after).await?;
    let all = found.len();
    let links = within_page(found, Vec::len);
    Ok(Json(RosterPage {
        more: links.len() < all,
        links: links.into_iter().map(Blob).collect(),
    }))
}

/// The first of `items` that fit on a page; at least one.
fn within_page<T>(items: Vec<T>, bytes_of: impl Fn(&T) -> usize) -> Vec<T> {
    let mut bytes = 0;
    let mut first = true;
    let fits = |item: &T| {
        bytes += bytes_of(item);
        std::mem::take(&mut first) || bytes <= MAX_PAGE_BYTES
    };
    items.into_iter().take_while(fits).collect()
}

async fn sigchains(
    call: Call,
    Query(query): Query<SigchainsQuery>,
) -> Result<Json<SigchainsPage>, Refusal> {
    let scope = call.scope().await?;
    let roster = call.shared.roster(&scope).await?;
    let mut people = Vec::new();
    let mut bytes = 0;
    let after = query.after.map(|after| UserId(after.0));
    for user in roster.iter().flat_map(|roster| &roster.people) {
        if after.is_some_and(|after| *user <= after) {
            continue;
        }
        let Some(chain) = call.shared.sigchain(*user).await? else {
            continue;
        };
        let sigchain = Blob(chain.encode());
        bytes += sigchain.0.len();
        if bytes > MAX_PAGE_BYTES && !people.is_empty() {
            return Ok(Json(SigchainsPage { people, more: true }));
        }
        let user = Id(user.0);
        people.push(PersonSigchain { user, sigchain });
    }
    Ok(Json(SigchainsPage {
        people,
        more: false,
    }))
}

async fn sigchain(call: Call, _: Nothing) -> Result<Json<PersonSigchain>, Refusal> {
    let user = UserId(call.id("user")?);
    let scope = call.scope().await?;
    let roster = call.shared.roster(&scope).await?;
    let known = roster.is_some_and(|roster| roster.people.contains(&user));
    if !known && !is_invited(&call, &scope, user).await? {
        return Err(Refusal::not_found());
    }
    let chain = call.shared.sigchain(user).await?;
    let chain = chain.ok_or_else(Refusal::not_found)?;
    Ok(Json(PersonSigchain {
        user: Id(user.0),
        sigchain: Blob(chain.encode()),
    }))
}

/// Whether `user` came by an invitation into this hub, as far as the caller may know.
async fn is_invited(call: &Call, scope: &Scoped<'_>, user: UserId) -> Result<bool, Refusal> {
    if user == call.caller()?.user {
        return Ok(true);
    }
    if !call.permissions().has(Permissions::MANAGE_MEMBERS) {
        return Ok(false);
    }
    Ok(scope.was_invited(user).await?)
}

async fn extend(
    call: Call,
    Json(request): Json<RosterExtension>,
) -> Result<Json<RosterHead>, Refusal> {
    if !(1..=MAX_LINKS_PER_REQUEST).contains(&request.links.len()) {
        return Err(Refusal::malformed("there are 1 to 16 links in a request"));
    }
    let scope = call.scope().await?;
    let known = call.shared.roster(&scope).await?;
    let links: Vec<Vec<u8>> = request.links.into_iter().map(|link| link.0).collect();
    let extended = call
        .shared
        .extended(&scope, known.as_deref(), &links)
        .await?;
    let extended = Arc::new(extended.map_err(|error| refused(&error))?);
    let (before, after) = (known.as_deref().map(KnownRoster::state), extended.state());
    if before.is_none() {
        check_beginning(&call, after)?;
    }
    let rows = Rows::of(&call, &scope, after).await?;
    let mut step = Step::new(mirror::follow(
        scope.hub().id,
        &rows,
        before,
        after,
        call.now,
    )?);
    let first = before.map_or(0, |state| u64::from(state.head().seqno)) + 1;
    step.links(scope.hub().id, first, links);
    let announced =
        announce_keys(&call, before, after, request.wraps, request.search_roots).await?;
    step.keys(announced);
    let settings = announced_settings(&call, before, after, request.settings)?;
    step.settings(settings, &request.settings_parts)?;
    scope.require(step.needed)?;
    let topics = std::mem::take(&mut step.topics);
    let head = after.head();
    let leaf = Leaf {
        subject: Subject::Roster(after.hub()),
        head,
    };
    call.shared
        .commit_with_heads(step.into_changes(&call)?, &[leaf])
        .await?;
    call.shared.keep_roster(&scope, &extended);
    for topic in topics {
        call.shared.notify(scope.hub().id, topic);
    }
    Ok(Json(RosterHead {
        seqno: head.seqno,
        hash: Blob::from(head.hash.as_slice()),
    }))
}

/// What one request makes of a roster and of all that follows it.
struct Step {
    links: Vec<VaultChange>,
    changes: Vec<Change>,
    events: Vec<(AuditKind, AuditSubject)>,
    needed: Permissions,
    topics: Vec<Topic>,
}

impl Step {
    fn new(mirrored: Mirrored) -> Self {
        Self {
            links: Vec::new(),
            changes: mirrored.changes,
            events: mirrored.events,
            needed: mirrored.needed.unwrap_or(Permissions::NONE),
            topics: vec![Topic::Members],
        }
    }

    /// The new links, of which the first is numbered `first`.
    fn links(&mut self, hub: HubId, first: u64, links: Vec<Vec<u8>>) {
        for (seqno, link) in (first..).zip(links) {
            self.links
                .push(VaultChange::RosterExtended { hub, seqno, link });
        }
    }

    fn keys(&mut self, announced: Announced) {
        for change in announced.changes {
            if let VaultChange::HubKeyWrapped { user, .. } = change {
                let subject = AuditSubject::User(user);
                self.events.push((AuditKind::HubKeyShared, subject));
            }
            self.changes.push(change.into());
        }
        for _ in 0..announced.new_epochs {
            let event = (AuditKind::HubKeyRotated, AuditSubject::Whole);
            self.events.push(event);
        }
        if announced.new_epochs > 0 {
            self.topics.push(Topic::Keys);
        }
    }

    /// The new settings, of which whoever sends them says that `parts` have changed.
    fn settings(
        &mut self,
        settings: Option<HubSettingRow>,
        parts: &[SettingsPart],
    ) -> Result<(), Refusal> {
        let Some(settings) = settings else {
            return match parts {
                [] => Ok(()),
                _ => Err(Refusal::malformed("parts of settings come with settings")),
            };
        };
        self.changes
            .push(VaultChange::HubSettingChanged(settings).into());
        let event = (AuditKind::HubSettingsChanged, AuditSubject::Whole);
        self.events.push(event);
        // A part that is listed twice is told once.
        let told: BTreeSet<AuditKind> = parts.iter().copied().map(told_as).collect();
        let told = told.into_iter().map(|kind| (kind, AuditSubject::Whole));
        self.events.extend(told);
        self.needed = self.needed | Permissions::MANAGE_HUB;
        self.topics.push(Topic::Settings);
        Ok(())
    }

    /// All of it, the links first, with what the trail tells.
    fn into_changes(self, call: &Call) -> Result<Changes, Refusal> {
        let mut changes = Changes::new();
        for link in self.links {
            changes.push(link);
        }
        for change in self.changes {
            changes.push(change);
        }
        for (kind, subject) in self.events {
            changes.push(call.noted_in_hub(kind, subject)?);
        }
        Ok(changes)
    }
}

/// What the trail tells when this part of the settings is said to have changed.
fn told_as(part: SettingsPart) -> AuditKind {
    match part {
        SettingsPart::CustomFields => AuditKind::CustomFieldsUpdated,
        SettingsPart::Transcription => AuditKind::TranscriptionToggled,
    }
}

/// What contradicts the roster as it is, is a conflict: others were faster.
fn refused(error: &crypto::hub::RosterError) -> Refusal {
    use crypto::hub::RosterError as E;
    match error {
        E::Gap { .. } | E::WrongPrev { .. } | E::StaleHead { .. } => {
            Refusal::conflict(error.to_string())
        }
        _ => Refusal::not_verified(error),
    }
}

/// A roster is begun by whoever runs the installation, for themselves.
fn check_beginning(call: &Call, state: &RosterState) -> Result<(), Refusal> {
    let caller = call.caller()?;
    let founder = state.admins().any(|admin| admin == person(caller.user));
    match caller.super_admin && founder {
        true => Ok(()),
        false => Err(Refusal::not_allowed()),
    }
}

/// What is kept of keys that links announce.
struct Announced {
    changes: Vec<VaultChange>,
    new_epochs: usize,
}

async fn announce_keys(
    call: &Call,
    before: Option<&RosterState>,
    after: &RosterState,
    wraps: Vec<Blob>,
    search_roots: Vec<EpochSearchRoot>,
) -> Result<Announced, Refusal> {
    let newest = |state: &RosterState| state.epoch().map_or(0, |epoch| epoch.epoch);
    let (known, newest) = (before.map_or(0, newest), newest(after));
    let mut by_epoch = checked_wraps(call, after, wraps).await?;
    let mut roots: BTreeMap<u32, Blob> = BTreeMap::new();
    for root in search_roots {
        let fits = root.sealed.0.len() <= MAX_SEARCH_ROOT_BYTES;
        let new = (known + 1..=newest).contains(&root.epoch);
        if !fits || !new || roots.insert(root.epoch, root.sealed).is_some() {
            return Err(Refusal::malformed("a search root belongs to each new key"));
        }
    }
    let hub = call.hub()?.id;
    let members = keyed_members(call, after).await?;
    let mut changes = Vec::new();
    for epoch in known + 1..=newest {
        let wraps = by_epoch.remove(&epoch).unwrap_or_default();
        if !wraps.keys().copied().eq(members.iter().copied()) {
            return Err(Refusal::not_verified(
                "a new hub key is sealed to every member who has a key, and to nobody else",
            ));
        }
        let root = roots.remove(&epoch);
        let root = root.ok_or_else(|| Refusal::malformed("a new hub key needs a search root"))?;
        changes.push(VaultChange::HubKeyAdded(Box::new(HubKeyRow {
            hub,
            epoch,
            body: Sealed(root.0),
            wraps: wraps.into_iter().collect(),
            created_at: call.now,
        })));
    }
    for (epoch, wraps) in by_epoch {
        changes.extend(
            wraps
                .into_iter()
                .map(|(user, wrap)| VaultChange::HubKeyWrapped {
                    hub,
                    epoch,
                    user,
                    wrap,
                }),
        );
    }
    Ok(Announced {
        changes,
        new_epochs: usize::try_from(newest - known).unwrap_or(usize::MAX),
    })
}

/// The members who have a key that can be sealed to.
async fn keyed_members(call: &Call, state: &RosterState) -> Result<BTreeSet<UserId>, Refusal> {
    let mut members = BTreeSet::new();
    for (user, _) in state.members() {
        let chain = call.shared.sigchain(user_of(user)).await?;
        if chain.is_some_and(|chain| chain.state().reader().is_some()) {
            members.insert(user_of(user));
        }
    }
    Ok(members)
}

type Wraps = BTreeMap<UserId, Sealed>;

/// Wraps by epoch, each of an announced key, for the newest key of a member.
async fn checked_wraps(
    call: &Call,
    state: &RosterState,
    wraps: Vec<Blob>,
) -> Result<BTreeMap<u32, Wraps>, Refusal> {
    if wraps.len() > MAX_WRAPS {
        return Err(Refusal::malformed("too many wraps in one request"));
    }
    let mut by_epoch: BTreeMap<u32, Wraps> = BTreeMap::new();
    for bytes in wraps {
        let wrap = HubKeyWrap::decode(&bytes.0).map_err(Refusal::not_verified)?;
        let user = user_of(wrap.user());
        if state.epoch_of(wrap.epoch()).is_none() || state.member(wrap.user()).is_none() {
            return Err(Refusal::not_verified(
                "a wrap is of a key that was not announced, or for somebody who is no member",
            ));
        }
        let chain = call.shared.sigchain(user).await?;
        let newest = chain.and_then(|chain| chain.state().reader());
        if newest.map(|newest| newest.generation) != Some(wrap.generation()) {
            return Err(Refusal::conflict(
                "a wrap is for an outdated key of a member",
            ));
        }
        let wraps = by_epoch.entry(wrap.epoch()).or_default();
        if wraps.insert(user, Sealed(bytes.0)).is_some() {
            return Err(Refusal::malformed("two wraps of one key for one member"));
        }
    }
    Ok(by_epoch)
}

/// The settings that links announce, which must come with them.
fn announced_settings(
    call: &Call,
    before: Option<&RosterState>,
    after: &RosterState,
    settings: Option<Blob>,
) -> Result<Option<HubSettingRow>, Refusal> {
    let known = before.and_then(RosterState::settings);
    let (announced, body) = match (after.settings(), settings) {
        (announced, None) if announced == known => return Ok(None),
        (Some(announced), Some(body)) if Some(announced) != known => (announced, body),
        _ => {
            return Err(Refusal::not_verified(
                "settings come with the link that announces them",
            ));
        }
    };
    let sealed = SealedSettings::decode(&body.0).map_err(Refusal::not_verified)?;
    let hash: [u8; 32] = Sha256::digest(&body.0).into();
    if hash != announced.hash || sealed.revision() != announced.revision {
        return Err(Refusal::not_verified(
            "these are not the announced settings",
        ));
    }
    Ok(Some(HubSettingRow {
        hub: call.hub()?.id,
        topic: SETTINGS_TOPIC,
        revision: announced.revision,
        body: Sealed(body.0),
        author: call.caller()?.user,
        changed_at: call.now,
    }))
}

async fn keys(call: Call, _: Nothing) -> Result<Json<HubKeys>, Refusal> {
    let keys = call.scope().await?.my_hub_keys().await?;
    let keys = keys.into_iter().map(|(epoch, search_root, wrap)| HubKey {
        epoch,
        wrap: Blob(wrap.0),
        search_root: Blob(search_root.0),
    });
    Ok(Json(HubKeys {
        keys: keys.collect(),
    }))
}

async fn wrap(call: Call, Json(request): Json<HubKeyWraps>) -> Result<Nothing, Refusal> {
    let scope = call.scope().await?;
    let roster = call.shared.roster(&scope).await?;
    let roster = roster.ok_or_else(Refusal::not_found)?;
    let caller = call.caller()?.user;
    if roster.state().member(person(caller)).is_none() {
        return Err(Refusal::not_allowed());
    }
    let by_epoch = checked_wraps(&call, roster.state(), request.wraps).await?;
    let hub = scope.hub().id;
    let mut changes = Changes::new();
    for (epoch, wraps) in by_epoch {
        for (user, wrap) in wraps {
            // Whoever could replace another's wrap could take the hub away from them.
            if user != caller {
                scope.require(Permissions::MANAGE_MEMBERS)?;
            }
            changes.push(VaultChange::HubKeyWrapped {
                hub,
                epoch,
                user,
                wrap,
            });
            let subject = AuditSubject::User(user);
            changes.push(call.noted_in_hub(AuditKind::HubKeyShared, subject)?);
        }
    }
    call.shared.store.commit(changes).await?;
    call.shared.notify(hub, Topic::Keys);
    Ok(Nothing)
}
