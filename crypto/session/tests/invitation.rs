//! Who comes in by an invitation, and what a server that made it up gets.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod people;

use crypto::HubId;
use crypto::hub::{Invitation, Role, RoleFlags, RoleId};
use crypto_session::{Code, People, Session};
use people::{NOW_MS, code, knowing, person};

const ADMIN: RoleId = RoleId(1);
const VOLUNTEER: RoleId = RoleId(2);
const HUB: HubId = HubId::from_bytes([0x11; 16]);
const INVITATION: Invitation = Invitation {
    id: [0x22; 16],
    role: VOLUNTEER,
};

/// A hotline of an admin, with a key.
fn founded() -> Session {
    let mut admin = person();
    let role = |admin| Role {
        flags: RoleFlags {
            admin,
            reviewer: false,
        },
        permissions: 0,
    };
    let roles = [(ADMIN, role(true)), (VOLUNTEER, role(false))];
    admin.create_hub(HUB, &roles, ADMIN, NOW_MS).unwrap();
    next_key(&mut admin, &People::default());
    admin
}

fn next_key(admin: &mut Session, people: &People) {
    admin.new_hub_key(HUB, None, people, NOW_MS).unwrap();
}

#[test]
fn who_holds_the_link_is_believed_also_when_their_list_has_grown() {
    let (ana, mut ben) = (founded(), person());
    let secret = ana.invite_secret(HUB, &INVITATION).unwrap();
    assert!(secret.starts_with("hlinv1"));
    let voucher = ben.vouch(&secret).unwrap();
    ben.make_recovery_key(NOW_MS).unwrap();
    let people = knowing(&[&ana, &ben]);
    ana.check_voucher(HUB, &INVITATION, ben.user(), &voucher, &people)
        .unwrap();
    let mistyped = secret.replace("hlinv1", "hlinv1q");
    assert_eq!(code(ben.vouch(&mistyped)), Code::Mistyped);
}

#[test]
fn a_server_that_hands_out_its_own_key_for_somebody_invited_is_caught() {
    let (ana, ben, server) = (founded(), person(), person());
    let secret = ana.invite_secret(HUB, &INVITATION).unwrap();
    let of_ben = ben.vouch(&secret).unwrap();
    // It knows the invitation, and has hubs and keys of its own.
    let of_server = founded().invite_secret(HUB, &INVITATION).unwrap();
    let of_server = server.vouch(&of_server).unwrap();
    let people = knowing(&[&ana, &ben, &server]);
    let check = |invitation: &Invitation, user: &Session, voucher: &[u8]| {
        code(ana.check_voucher(HUB, invitation, user.user(), voucher, &people))
    };
    for voucher in [&of_server, &of_ben] {
        assert_eq!(check(&INVITATION, &server, voucher), Code::NotVouched);
    }
    // Ben as an admin, which nobody meant.
    let as_admin = Invitation {
        role: ADMIN,
        ..INVITATION
    };
    assert_eq!(check(&as_admin, &ben, &of_ben), Code::NotVouched);
    assert_eq!(check(&INVITATION, &ben, &[]), Code::Malformed);
}

#[test]
fn other_keys_under_the_name_of_who_was_invited_are_refused() {
    let (ana, ben) = (founded(), person());
    let secret = ana.invite_secret(HUB, &INVITATION).unwrap();
    let voucher = ben.vouch(&secret).unwrap();
    let mut other = Session::create(Some(ben.user())).unwrap();
    other.begin_sigchain(NOW_MS).unwrap();
    let people = knowing(&[&ana, &other]);
    let refused = ana.check_voucher(HUB, &INVITATION, ben.user(), &voucher, &people);
    assert_eq!(code(refused), Code::Moved);
}

#[test]
fn a_link_outlives_one_change_of_the_hubs_key_and_no_more() {
    let (mut ana, ben) = (founded(), person());
    let secret = ana.invite_secret(HUB, &INVITATION).unwrap();
    let voucher = ben.vouch(&secret).unwrap();
    let people = knowing(&[&ana, &ben]);
    next_key(&mut ana, &people);
    ana.check_voucher(HUB, &INVITATION, ben.user(), &voucher, &people)
        .unwrap();
    next_key(&mut ana, &people);
    let refused = ana.check_voucher(HUB, &INVITATION, ben.user(), &voucher, &people);
    assert_eq!(code(refused), Code::NotVouched);
}
