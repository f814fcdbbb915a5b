//! What the server verifies of a sealed record before it keeps it: all that its readers will,
//! but for what takes their keys.

use std::collections::BTreeSet;

use crypto::hub::ExistingReaders;
use crypto::record::{
    Expected, KnownDevice, Manifest, ManifestEntry, NOBODY, Position, RecordAuthor, RecordFront,
    RecordKind, RecordPlace, WrapKind,
};
use crypto::{DeviceId, UserId};
use protocol::Code;
use store::{RecordId, RecordRow, Scoped, Visibility};

use crate::call::Call;
use crate::chains::{hub_of, person, user_of};
use crate::refusal::Refusal;

const KINDS: [(u16, RecordKind, protocol::RecordKind); 7] = [
    (1, RecordKind::Note, protocol::RecordKind::Note),
    (2, RecordKind::Message, protocol::RecordKind::Message),
    (3, RecordKind::Transcript, protocol::RecordKind::Transcript),
    (4, RecordKind::Report, protocol::RecordKind::Report),
    (5, RecordKind::Contact, protocol::RecordKind::Contact),
    (6, RecordKind::Attachment, protocol::RecordKind::Attachment),
    (7, RecordKind::Voicemail, protocol::RecordKind::Voicemail),
];

/// The code under which the store keeps records of a kind.
pub(crate) fn code_of(kind: RecordKind) -> u16 {
    let place = KINDS.iter().find(|(_, known, _)| *known == kind);
    place.map_or(0, |(code, ..)| *code)
}

/// The code of a kind that a client names.
pub(crate) fn code_of_named(kind: protocol::RecordKind) -> u16 {
    let place = KINDS.iter().find(|(.., named)| *named == kind);
    place.map_or(0, |(code, ..)| *code)
}

/// The kind of a code in the store.
pub(crate) fn kind_of(code: u16) -> Result<(RecordKind, protocol::RecordKind), Refusal> {
    let place = KINDS.iter().find(|(known, ..)| *known == code);
    let (_, kind, named) = place.ok_or_else(|| Refusal::internal("a record of no known kind"))?;
    Ok((*kind, *named))
}

pub(crate) fn visibility_of(named: protocol::Visibility) -> Visibility {
    match named {
        protocol::Visibility::Shared => Visibility::Shared,
        protocol::Visibility::Private => Visibility::Private,
    }
}

pub(crate) fn named_visibility(visibility: Visibility) -> protocol::Visibility {
    match visibility {
        Visibility::Shared => protocol::Visibility::Shared,
        Visibility::Private => protocol::Visibility::Private,
    }
}

/// By which rule of the roster (`docs/protocol/hub-v1.md`, "Who reads a record") a record of
/// this kind is read.
fn class(kind: RecordKind, visibility: Visibility) -> crypto::hub::Visibility {
    match (visibility, kind) {
        (Visibility::Private, _) => crypto::hub::Visibility::Private,
        (Visibility::Shared, RecordKind::Report) => crypto::hub::Visibility::Reporter,
        (Visibility::Shared, _) => crypto::hub::Visibility::Case,
    }
}

/// [`class`] of a record that is there or about to be; a file goes by the record that it goes
/// with.
pub(crate) async fn class_of(
    scope: &Scoped<'_>,
    kind: RecordKind,
    id: RecordId,
    visibility: Visibility,
) -> Result<crypto::hub::Visibility, Refusal> {
    if kind != RecordKind::Attachment {
        return Ok(class(kind, visibility));
    }
    let file = scope.attachment(id).await?;
    let Some(with) = file.and_then(|file| file.row.attached_to) else {
        return Ok(class(kind, visibility));
    };
    let rows = scope.record(with).await?;
    let with = rows.last().ok_or_else(Refusal::not_found)?;
    Ok(class(kind_of(with.kind)?.0, visibility))
}

/// Header and readers of a stored revision; `None` once erased.
pub(crate) fn front_of(row: &RecordRow) -> Result<Option<RecordFront>, Refusal> {
    let Some(sealed) = &row.sealed else {
        return Ok(None);
    };
    let bytes = [sealed.header.0.as_slice(), &sealed.manifest.0].concat();
    let front = RecordFront::decode(&bytes).map_err(Refusal::internal)?;
    Ok(Some(front))
}

/// Header and list of readers, as the store keeps them apart.
pub(crate) fn parts_of(front: &RecordFront) -> (Vec<u8>, Vec<u8>) {
    let header = front.header().encode();
    let manifest = front.encode().split_off(header.len());
    (header, manifest)
}

/// The revision of a person who writes it now, verified by the roster.
pub(crate) async fn check_written(
    call: &Call,
    front: &RecordFront,
    class: crypto::hub::Visibility,
) -> Result<(), Refusal> {
    let scope = call.scope().await?;
    let caller = person(call.caller()?.user);
    let place = RecordPlace {
        hub: hub_of(scope.hub().id),
        ..front.context().place()
    };
    if front.context().author() != Some(caller) {
        return Err(Refusal::not_verified("a record is written by who sends it"));
    }
    let author = live_device(call, front.context().device()).await?;
    let roster = roster_of(call, &scope).await?;
    let allowed = roster
        .state()
        .readers(class, caller)
        .map_err(|_| Refusal::not_allowed())?;
    let expected = Expected {
        place,
        at_least: Position::START,
        author: RecordAuthor::Person(author),
        manifest_signers: &[],
        allowed_readers: &allowed,
        former_readers: &NOBODY,
    };
    front.verify(&expected).map_err(Refusal::not_verified)?;
    if front.manifest().revision() != 1 {
        return Err(Refusal::not_verified(
            "a revision begins with its first list of readers",
        ));
    }
    check_keys(call, front.manifest(), None).await?;
    check_nobody_missing(call, front.manifest(), &allowed).await
}

/// The next list of readers of a stored revision, verified by the roster.
pub(crate) async fn check_readers(
    call: &Call,
    next: &RecordFront,
    previous: &RecordFront,
    class: crypto::hub::Visibility,
) -> Result<(), Refusal> {
    let scope = call.scope().await?;
    let caller = person(call.caller()?.user);
    let context = previous.context();
    let author = context.author().ok_or_else(Refusal::not_found)?;
    let roster = roster_of(call, &scope).await?;
    // Who has left is still the author of what they wrote, and no reader any more.
    let ExistingReaders { allowed, former } = roster.state().readers_of_existing(class, author);
    next.check_follows(previous)
        .map_err(|error| Refusal::conflict(error.to_string()))?;
    let signer = live_device(call, next.manifest().signer()).await?;
    let expected = Expected {
        place: context.place(),
        at_least: previous.position(),
        author: RecordAuthor::Person(known_device(call, author, context.device()).await?),
        manifest_signers: &[signer],
        allowed_readers: &allowed,
        former_readers: &former,
    };
    next.verify(&expected).map_err(Refusal::not_verified)?;
    if !allowed.contains(&caller) {
        return Err(Refusal::not_allowed());
    }
    next.check_wraps_kept(previous, caller)
        .map_err(|error| Refusal::new(Code::NotAllowed, error.to_string()))?;
    let anew = |entry: &&ManifestEntry| previous.manifest().entry(entry.user()) != Some(*entry);
    let mut anew = next.manifest().entries().iter().filter(anew);
    if anew.any(|entry| !allowed.contains(&entry.user())) {
        return Err(Refusal::not_verified(
            "nothing is sealed anew to somebody who has left",
        ));
    }
    check_keys(call, next.manifest(), Some(previous.manifest())).await?;
    let mut kept = previous.manifest().entries().iter();
    let dropped = kept.any(|entry| {
        let user = entry.user();
        allowed.contains(&user) && next.manifest().entry(user).is_none()
    });
    match dropped {
        true => Err(Refusal::not_verified(
            "a reader whom the roster names is left out",
        )),
        false => Ok(()),
    }
}

/// Whether a list of readers differs from the one before in the wrap of `caller` alone, who was
/// on it already.
pub(crate) fn moves_own_wrap(caller: store::UserId, next: &Manifest, previous: &Manifest) -> bool {
    let (entries, before) = (next.entries(), previous.entries());
    let caller = person(caller);
    let mut pairs = entries.iter().zip(before);
    entries.len() == before.len()
        && next.is_stale() == previous.is_stale()
        && pairs.all(|(entry, before)| {
            entry == before || (entry.user() == caller && before.user() == caller)
        })
}

async fn roster_of(
    call: &Call,
    scope: &Scoped<'_>,
) -> Result<std::sync::Arc<crate::chains::KnownRoster>, Refusal> {
    let roster = call.shared.roster(scope).await?;
    roster.ok_or_else(|| Refusal::conflict("this hub has no list of members yet"))
}

/// A live device of the caller.
pub(crate) async fn live_device(call: &Call, device: DeviceId) -> Result<KnownDevice, Refusal> {
    let user = call.caller()?.user;
    let chain = call.shared.sigchain(user).await?;
    let known = chain.and_then(|chain| chain.state().device(device).copied());
    match known.filter(|known| known.is_live()) {
        Some(known) => Ok(KnownDevice {
            user: person(user),
            device,
            key: known.sign_key,
        }),
        None => Err(Refusal::not_verified(
            "it is not signed by a live device of who sends it",
        )),
    }
}

/// A device of `user`, live or revoked.
async fn known_device(call: &Call, user: UserId, device: DeviceId) -> Result<KnownDevice, Refusal> {
    let chain = call.shared.sigchain(user_of(user)).await?;
    let known = chain.and_then(|chain| chain.state().device(device).copied());
    let known = known.ok_or_else(|| Refusal::internal("a stored record is by no known device"))?;
    Ok(KnownDevice {
        user,
        device,
        key: known.sign_key,
    })
}

/// What is sealed anew is sealed to everybody's newest key: an older one may be stolen.
async fn check_keys(
    call: &Call,
    manifest: &Manifest,
    previous: Option<&Manifest>,
) -> Result<(), Refusal> {
    let caller = person(call.caller()?.user);
    for entry in manifest.entries() {
        let user = entry.user();
        if previous.is_some_and(|previous| previous.entry(user) == Some(entry)) {
            continue;
        }
        if entry.kind() == WrapKind::ItemsKey && user != caller {
            return Err(Refusal::not_verified("an items key is for its owner alone"));
        }
        let chain = call.shared.sigchain(user_of(user)).await?;
        let newest = chain.and_then(|chain| chain.state().reader());
        if newest.map(|newest| newest.generation) != Some(entry.generation()) {
            return Err(Refusal::conflict(
                "the record is sealed to an outdated key of a reader: load their sigchain",
            ));
        }
    }
    Ok(())
}

/// Everybody who must be able to read it and has a key is among the readers.
async fn check_nobody_missing(
    call: &Call,
    manifest: &Manifest,
    required: &BTreeSet<UserId>,
) -> Result<(), Refusal> {
    for user in required
        .iter()
        .filter(|user| manifest.entry(**user).is_none())
    {
        let chain = call.shared.sigchain(user_of(*user)).await?;
        if chain.is_some_and(|chain| chain.state().reader().is_some()) {
            return Err(Refusal::conflict(
                "the record is not sealed to everybody whom the roster names: load the roster",
            ));
        }
    }
    Ok(())
}
