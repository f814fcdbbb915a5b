//! The first admin, and everybody who is invited.

use std::time::Duration;

use crypto::OsEntropy;
use crypto::hub::{HubKey, Invitation, RoleId};
use crypto_session::Session;
use protocol::{
    Blob, EntryCode, Id, InviteCode, InviteMade, InviteOffer, InviteRedemption, InviteRequest,
    InviteUse, Invites, Me, RecoveryFacts, Role, Welcome,
};
use store::{AuditChain, AuditKind, Changes, Permissions, RoleRow, Sealed, VaultChange};

use crate::client::{Answer, Client, ORIGIN, Server, minutes, newcomer, now_ms, pass};

const HOUR_MS: u64 = 3_600_000;

async fn invite(admin: &mut Client<'_>, hub: Id, role: Role) -> Answer {
    let expires_at_ms = now_ms() + HOUR_MS;
    let request = InviteRequest {
        role,
        expires_at_ms,
    };
    admin.post(&format!("/hubs/{hub}/invites"), &request).await
}

fn redemption(session: &Session, code: &str) -> InviteRedemption {
    InviteRedemption {
        recovery_escrow: crate::client::escrow(),
        code: EntryCode::new(code),
        sigchain: Blob(session.sigchain().unwrap()),
        profile: Blob(b"sealed".to_vec()),
        proof: Blob(session.redeem_invite(code, ORIGIN).unwrap()),
        voucher: voucher(session),
    }
}

/// With the secret of some link: the server cannot tell of which.
fn voucher(session: &Session) -> Blob {
    let hub = crypto::HubId::from_bytes([1; 16]);
    let key = HubKey::generate(hub, 1, &mut OsEntropy).unwrap();
    let invitation = Invitation {
        id: [1; 16],
        role: RoleId(2),
    };
    let secret = key.invite_secret(&invitation).reveal();
    Blob(session.vouch(&secret).unwrap())
}

/// Somebody new who was invited as a volunteer, logged in.
pub async fn volunteer<'a>(server: &'a Server, admin: &mut Client<'_>, hub: Id) -> Client<'a> {
    let made: InviteMade = invite(admin, hub, Role::Volunteer).await.json();
    let session = newcomer();
    let request = redemption(&session, made.code.reveal());
    let _: Welcome = server.post("/invites/redeem", &request).await.json();
    server.login(session).await
}

#[tokio::test]
async fn of_two_who_have_the_printed_code_one_becomes_admin() {
    let server = Server::start().await;
    let code = server.shared.bootstrap_code().await.unwrap().unwrap();
    let (one, other) = (newcomer(), newcomer());
    let (of_one, of_other) = (
        server.bootstrap_of(&one, &code),
        server.bootstrap_of(&other, &code),
    );
    let (first, second) = tokio::join!(
        server.post("/bootstrap", &of_one),
        server.post("/bootstrap", &of_other)
    );
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410]);
    assert!(server.shared.bootstrap_code().await.unwrap().is_none());
    let again = server
        .post("/bootstrap", &server.bootstrap_of(&newcomer(), &code))
        .await;
    assert_eq!(again.refused(), (410, "spent".into()));
    assert_eq!(server.noted(AuditKind::AdminPromoted).await, 1);
}

#[tokio::test]
async fn a_new_start_makes_the_printed_code_void_and_a_day_does_too() {
    let server = Server::start().await;
    let old = server.shared.bootstrap_code().await.unwrap().unwrap();
    let new = server.shared.bootstrap_code().await.unwrap().unwrap();
    let session = newcomer();
    let refused = server
        .post("/bootstrap", &server.bootstrap_of(&session, &old))
        .await;
    assert_eq!(refused.refused(), (410, "spent".into()));
    pass(Duration::from_secs(24 * 3600));
    let refused = server
        .post("/bootstrap", &server.bootstrap_of(&session, &new))
        .await;
    assert_eq!(refused.refused(), (410, "spent".into()));
}

#[tokio::test]
async fn who_saw_the_code_cannot_use_it_with_the_keys_of_another() {
    let server = Server::start().await;
    let code = server.shared.bootstrap_code().await.unwrap().unwrap();
    let (victim, thief) = (newcomer(), newcomer());
    let mut forged = server.bootstrap_of(&victim, &code);
    forged.proof = server.bootstrap_of(&thief, &code).proof;
    let refused = server.post("/bootstrap", &forged).await;
    assert_eq!(refused.refused(), (400, "not-verified".into()));
    // A refused try does not use the code up.
    let taken = server
        .post("/bootstrap", &server.bootstrap_of(&victim, &code))
        .await;
    let _: Welcome = taken.json();
}

#[tokio::test]
async fn who_saw_an_invitation_cannot_use_it_with_the_keys_of_another() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let hub = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let made: InviteMade = invite(&mut admin, hub, Role::Volunteer).await.json();
    let (victim, thief) = (newcomer(), newcomer());
    let mut forged = redemption(&victim, made.code.reveal());
    forged.proof = redemption(&thief, made.code.reveal()).proof;
    let refused = server.post("/invites/redeem", &forged).await;
    assert_eq!(refused.refused(), (400, "not-verified".into()));
    // A refused try does not use the code up.
    let whole = redemption(&victim, made.code.reveal());
    let _: Welcome = server.post("/invites/redeem", &whole).await.json();
}

#[tokio::test]
async fn an_invitation_lets_one_person_in_and_makes_nobody_a_member() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let hub = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let made: InviteMade = invite(&mut admin, hub, Role::Volunteer).await.json();

    let typed = made.code.reveal().to_lowercase().replace('-', " ");
    let offer = server
        .post(
            "/invites/offer",
            &InviteCode {
                code: EntryCode::new(typed),
            },
        )
        .await;
    let offer: InviteOffer = offer.json();
    assert_eq!((offer.hub, offer.role), (hub, Role::Volunteer));
    assert_eq!(
        (offer.hub_name.as_str(), offer.code.reveal()),
        ("hub 1", made.code.reveal())
    );

    let session = newcomer();
    let redeemed = server
        .post(
            "/invites/redeem",
            &redemption(&session, offer.code.reveal()),
        )
        .await;
    let _: Welcome = redeemed.json();
    let again = server
        .post(
            "/invites/redeem",
            &redemption(&newcomer(), offer.code.reveal()),
        )
        .await;
    assert_eq!(again.refused(), (410, "spent".into()));

    let mut invited = server.login(session).await;
    let me: Me = invited.get("/me").await.json();
    assert!(me.hubs.is_empty() && !me.super_admin);
    let members = invited.get(&format!("/hubs/{hub}/members")).await;
    assert_eq!(members.refused(), (403, "not-allowed".into()));

    let list: Invites = admin.get(&format!("/hubs/{hub}/invites")).await.json();
    assert_eq!(list.invites.len(), 1);
    assert_eq!(list.invites[0].used_by, Some(invited.user()));
    assert_eq!(list.invites[0].invite, made.invite);
    let trail = AuditChain::Hub(store::HubId(hub.0));
    for kind in [AuditKind::InviteCreated, AuditKind::InviteRedeemed] {
        assert_eq!(server.noted_in(trail, kind).await, 1, "{kind:?}");
    }
}

#[tokio::test]
async fn an_invitation_ends() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let hub = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let withdrawn: InviteMade = invite(&mut admin, hub, Role::Reporter).await.json();
    let path = format!("/hubs/{hub}/invites/{}", withdrawn.invite);
    admin.delete(&path).await.done();
    let trail = AuditChain::Hub(store::HubId(hub.0));
    let revoked = server.noted_in(trail, AuditKind::InviteRevoked).await;
    assert_eq!(revoked, 1);
    let late: InviteMade = invite(&mut admin, hub, Role::Reporter).await.json();
    pass(minutes(60));
    for code in [withdrawn.code, late.code] {
        let offer = server
            .post("/invites/offer", &InviteCode { code: code.clone() })
            .await;
        assert_eq!(offer.refused(), (410, "spent".into()));
        let redeemed = server
            .post("/invites/redeem", &redemption(&newcomer(), code.reveal()))
            .await;
        assert_eq!(redeemed.refused(), (410, "spent".into()));
    }
}

#[tokio::test]
async fn nobody_invites_somebody_who_may_more_than_they() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let hub = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let mut host = volunteer(&server, &mut admin, hub).await;
    let own = store::RoleId([9; 16]);
    let mut changes = Changes::new();
    changes.push(VaultChange::RoleDefined(RoleRow {
        hub: store::HubId(hub.0),
        id: own,
        name: Sealed(Vec::new()),
        permissions: Permissions::MANAGE_MEMBERS | Permissions::WRITE_RECORDS,
    }));
    server.store.commit(changes).await.unwrap();
    server.hub(1, host.user(), store::Role::Own(own)).await;

    let _: InviteMade = invite(&mut host, hub, Role::Reporter).await.json();
    let same = Role::Own { id: Id(own.0) };
    let _: InviteMade = invite(&mut host, hub, same).await.json();
    for more in [Role::HubAdmin, Role::Reviewer, Role::Volunteer] {
        let refused = invite(&mut host, hub, more).await;
        assert_eq!(refused.refused(), (403, "not-allowed".into()));
    }
    let unknown = Role::Own { id: Id([8; 16]) };
    let refused = invite(&mut host, hub, unknown).await;
    assert_eq!(refused.refused(), (404, "not-found".into()));
}

#[tokio::test]
async fn who_is_here_already_joins_another_hub() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let one = server.hub(1, admin.user(), store::Role::HubAdmin).await;
    let two = server.hub(2, admin.user(), store::Role::HubAdmin).await;
    let mut person = volunteer(&server, &mut admin, one).await;
    let made: InviteMade = invite(&mut admin, two, Role::Volunteer).await.json();

    let as_new = redemption(&person.session, made.code.reveal());
    let refused = server.post("/invites/redeem", &as_new).await;
    assert_eq!(refused.refused(), (409, "conflict".into()));
    let mut using = InviteUse {
        code: made.code,
        voucher: Blob(vec![1; 9]),
    };
    let unreadable = person.post("/invites/join", &using).await;
    assert_eq!(unreadable.refused(), (400, "malformed".into()));
    using.voucher = voucher(&person.session);
    person.post("/invites/join", &using).await.done();
    let again = person.post("/invites/join", &using).await;
    assert_eq!(again.refused(), (410, "spent".into()));
    let list: Invites = admin.get(&format!("/hubs/{two}/invites")).await.json();
    assert_eq!(list.invites[0].used_by, Some(person.user()));
    assert_eq!(list.invites[0].voucher, Some(using.voucher));
}

#[tokio::test]
async fn nobody_comes_in_without_a_way_back() {
    let server = Server::start().await;
    let code = server.shared.bootstrap_code().await.unwrap().unwrap();
    let mut session = Session::create(None).unwrap();
    session.begin_sigchain(now_ms()).unwrap();
    let without_paper = server.bootstrap_of(&session, &code);
    let refused = server.post("/bootstrap", &without_paper).await;
    assert_eq!(refused.refused(), (400, "not-verified".into()));
    session.make_recovery_key(now_ms()).unwrap();
    let mut without_escrow = server.bootstrap_of(&session, &code);
    without_escrow.recovery_escrow = Blob(b"nothing".to_vec());
    let refused = server.post("/bootstrap", &without_escrow).await;
    assert_eq!(refused.refused(), (400, "not-verified".into()));
    let whole = server.bootstrap_of(&session, &code);
    assert_eq!(server.post("/bootstrap", &whole).await.status, 200);
    let mut admin = server.login(session).await;
    let ways: RecoveryFacts = admin.get("/me/recovery").await.json();
    assert!(ways.recovery_key);
}
