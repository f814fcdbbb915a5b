//! Rosters, keys of hubs, settings.

use crypto::OsEntropy;
use crypto::hub::{
    Change, HubKey, HubKeyWrap, Role, RoleFlags, RoleId, Roster, SealedSettings, SearchRoot,
};
use crypto::transparency::{Leaf, Subject};
use protocol::{
    Blob, EpochSearchRoot, HubKeyWraps, HubKeys, HubList, HubSettings, LeavesPage, MemberList,
    PersonSigchain, ProfileList, RosterExtension, RosterPage, SettingsPart, SigchainsPage,
};

use crate::town::{
    ADMIN, NORTE, Norte, Person, REVIEWER, SUR, VOLUNTEER, built_in, chains_of, extension, joins,
};

async fn members(norte: &Norte, person: &Person) -> Vec<(u8, protocol::Role)> {
    let path = format!("/hubs/{NORTE}/members");
    let list: MemberList = norte.town.get(person, &path).await.read();
    let members = list.members.iter();
    members
        .map(|member| (member.user.0[0], member.role))
        .collect()
}

#[tokio::test]
async fn a_hub_is_begun_by_whoever_runs_the_installation() {
    let norte = Norte::new().await;
    let (town, ada, vera) = (&norte.town, &norte.ada, &norte.vera);
    let found = |founder: &Person| {
        let changes = vec![built_in(ADMIN), joins(founder, ADMIN)];
        let chains = chains_of(&[ada, vera]);
        Roster::create(SUR, &founder.keys, changes, &chains, 3).unwrap()
    };
    town.extend(vera, &found(vera), 1).await.refused(403);
    // Not for somebody else either.
    town.extend(ada, &found(vera), 1).await.refused(403);
    town.extend(ada, &found(ada), 1).await.done();
    // There is only one beginning.
    town.extend(ada, &found(ada), 1).await.refused(409);
    let other = {
        let changes = vec![built_in(ADMIN), joins(ada, ADMIN), built_in(VOLUNTEER)];
        Roster::create(SUR, &ada.keys, changes, &chains_of(&[ada]), 3).unwrap()
    };
    town.extend(ada, &other, 1).await.refused(409);
    let trail = town.trail(ada, SUR).await;
    assert_eq!(trail, ["admin-promoted"]);
    let hubs: HubList = town.get(ada, "/hubs").await.read();
    let roles: Vec<_> = hubs
        .hubs
        .iter()
        .map(|hub| (hub.name.as_str(), hub.role))
        .collect();
    let admin = Some(protocol::Role::HubAdmin);
    assert_eq!(roles, [("norte", admin), ("sur", admin)]);
    let hubs: HubList = town.get(vera, "/hubs").await.read();
    assert_eq!(hubs.hubs.len(), 1);
    assert_eq!(hubs.hubs[0].permissions.len(), 2);
}

#[tokio::test]
async fn the_head_of_a_roster_is_in_the_log() {
    let mut norte = Norte::new().await;
    let otto = joins(&norte.otto, VOLUNTEER);
    norte.change(vec![otto]).await.done();
    let path = "/transparency/leaves?from=0";
    let page: LeavesPage = norte.town.get(&norte.vera, path).await.read();
    let leaves = page
        .leaves
        .0
        .chunks(Leaf::BYTES)
        .map(|leaf| Leaf::decode(leaf).unwrap());
    let heads = leaves.filter(|leaf| leaf.subject == Subject::Roster(NORTE));
    let heads: Vec<_> = heads.map(|leaf| leaf.head).collect();
    assert_eq!(heads.len(), 2);
    assert_eq!(heads[1], norte.roster.head());
}

#[tokio::test]
async fn members_follow_the_roster() {
    use protocol::Role as R;
    let mut norte = Norte::new().await;
    assert_eq!(
        members(&norte, &norte.vera).await,
        [
            (1, R::HubAdmin),
            (2, R::Volunteer),
            (3, R::Volunteer),
            (4, R::Reviewer),
            (5, R::Reporter)
        ]
    );
    let audit = format!("/hubs/{NORTE}/audit");
    norte.town.get(&norte.vito, &audit).await.refused(403);
    let (vera, vito) = (norte.vera.user(), norte.vito.user());
    let changes = vec![
        joins(&norte.otto, VOLUNTEER),
        Change::ChangeRole {
            user: vito,
            role: ADMIN,
        },
        Change::RemoveMember { user: vera },
    ];
    norte.change(changes).await.done();
    let now = members(&norte, &norte.otto).await;
    assert_eq!(now[1], (3, R::HubAdmin));
    assert_eq!(now.last(), Some(&(6, R::Volunteer)));
    assert_eq!(now.len(), 5);
    norte.town.get(&norte.vito, &audit).await.done();
    let path = format!("/hubs/{NORTE}/members");
    norte.town.get(&norte.vera, &path).await.refused(403);
    let trail = norte.town.trail(&norte.ada, NORTE).await;
    let newest = &trail[trail.len() - 4..];
    assert_eq!(
        newest,
        [
            "volunteer-removed",
            "role-changed",
            "volunteer-added",
            "admin-promoted"
        ]
    );
}

#[tokio::test]
async fn roles_of_the_hub_may_what_the_roster_says() {
    let mut norte = Norte::new().await;
    let own = RoleId(7);
    let permissions = store::Permissions::READ_CALLS | store::Permissions::MANAGE_BANS;
    let define = |permissions: u64| {
        let flags = RoleFlags::default();
        Change::DefineRole(own, Role { flags, permissions })
    };
    let vito = norte.vito.user();
    let gives = Change::ChangeRole {
        user: vito,
        role: own,
    };
    let bits = u64::from(permissions.bits());
    norte.change(vec![define(bits), gives]).await.done();
    let (calls, bans) = (
        format!("/hubs/{NORTE}/calls"),
        format!("/hubs/{NORTE}/bans"),
    );
    norte.town.get(&norte.vito, &calls).await.done();
    norte.town.get(&norte.vito, &bans).await.done();
    norte
        .change(vec![define(u64::from(
            store::Permissions::READ_CALLS.bits(),
        ))])
        .await
        .done();
    norte.town.get(&norte.vito, &calls).await.done();
    norte.town.get(&norte.vito, &bans).await.refused(403);
    let trail = norte.town.trail(&norte.ada, NORTE).await;
    assert_eq!(trail.last().unwrap(), "role-defined");
    // A bit that this server does not know, and a volunteer who may everything.
    let before = norte.roster.clone();
    norte.change(vec![define(1 << 40)]).await.refused(400);
    norte.roster = before;
    let flags = RoleFlags::default();
    let permissions = u64::from(store::Permissions::ALL.bits());
    let swollen = Change::DefineRole(VOLUNTEER, Role { flags, permissions });
    norte.change(vec![swollen]).await.refused(400);
}

#[tokio::test]
async fn nobody_but_an_admin_continues_a_roster() {
    let mut norte = Norte::new().await;
    let (town, ada, vera) = (&norte.town, &norte.ada, &norte.vera);
    let chains = norte.chains();
    let takes_in = || vec![joins(&norte.otto, ADMIN)];
    let mut good = norte.roster.clone();
    good.change(&ada.keys, takes_in(), &chains, 4).unwrap();
    // A volunteer does not even hand it in.
    town.extend(vera, &good, 1).await.refused(403);
    // A link of hers for a hub of her own, in which she is the admin.
    let changes = vec![built_in(ADMIN), joins(vera, ADMIN)];
    let mut own = Roster::create(NORTE, &vera.keys, changes, &chains, 3).unwrap();
    own.change(&vera.keys, vec![joins(&norte.otto, ADMIN)], &chains, 4)
        .unwrap();
    town.extend(ada, &own, 1).await.refused(409);
    // A fork: two links after the same one.
    let mut rival = norte.roster.clone();
    rival
        .change(&ada.keys, vec![joins(&norte.otto, REVIEWER)], &chains, 4)
        .unwrap();
    town.extend(ada, &good, 1).await.done();
    town.extend(ada, &rival, 1).await.refused(409);
    // Cut at its end, and another hub's.
    let mut cut = extension(&good, 1);
    cut.links[0].0.pop();
    let path = format!("/hubs/{NORTE}/roster");
    town.post(ada, &path, &cut).await.refused(400);
    let path = format!("/hubs/{SUR}/roster");
    town.post(ada, &path, &extension(&good, 2))
        .await
        .refused(400);
    let none = RosterExtension::default();
    town.post(ada, &path, &none).await.refused(400);
    norte.roster = good;
    assert_eq!(members(&norte, &norte.ada).await.len(), 6);
}

#[tokio::test]
async fn a_member_verifies_the_roster_with_what_the_server_gives() {
    let mut norte = Norte::new().await;
    // Vito signs as an admin, then leaves: his chain is still needed.
    let vito = norte.vito.user();
    norte
        .change(vec![Change::ChangeRole {
            user: vito,
            role: ADMIN,
        }])
        .await
        .done();
    let chains = norte.chains();
    let joins_otto = vec![joins(&norte.otto, VOLUNTEER)];
    norte
        .roster
        .change(&norte.vito.keys, joins_otto, &chains, 5)
        .unwrap();
    norte
        .town
        .extend(&norte.vito, &norte.roster, 1)
        .await
        .done();
    norte
        .change(vec![Change::RemoveMember { user: vito }])
        .await
        .done();
    let (town, otto) = (&norte.town, &norte.otto);
    let page: RosterPage = town
        .get(otto, &format!("/hubs/{NORTE}/roster"))
        .await
        .read();
    assert!(!page.more);
    let people: SigchainsPage = town
        .get(otto, &format!("/hubs/{NORTE}/sigchains"))
        .await
        .read();
    let chains = people.people.iter().map(|person| {
        let chain = crypto::identity::Sigchain::decode(&person.sigchain.0).unwrap();
        (crypto::UserId::from_bytes(person.user.0), chain)
    });
    let links = page.links.iter().map(|link| link.0.as_slice());
    let roster = Roster::from_links(links, &chains.collect()).unwrap();
    assert_eq!(roster.head(), norte.roster.head());
    let path = format!("/hubs/{NORTE}/roster?after=3");
    let page: RosterPage = town.get(otto, &path).await.read();
    assert_eq!(page.links.len(), 1);
    let path = format!("/hubs/{NORTE}/sigchains/{}", norte.vito.id());
    let one: PersonSigchain = town.get(otto, &path).await.read();
    assert_eq!(one.sigchain.0, norte.vito.chain.encode());
    town.get(&norte.vito, &path).await.refused(403);
}

#[tokio::test]
async fn after_a_restart_the_roster_is_verified_anew() {
    let mut norte = Norte::new().await;
    let otto = joins(&norte.otto, VOLUNTEER);
    norte.change(vec![otto]).await.done();
    norte.town.restart().await;
    norte.vera_writes(1, "text").await;
    let vito = norte.vito.user();
    norte
        .change(vec![Change::RemoveMember { user: vito }])
        .await
        .done();
    assert_eq!(members(&norte, &norte.ada).await.len(), 5);
}

/// A key of the hub with what announces it.
fn key(norte: &mut Norte, epoch: u32, readers: &[u8]) -> (HubKey, RosterExtension) {
    let key = HubKey::generate(NORTE, epoch, &mut OsEntropy).unwrap();
    let announce = Change::HubKey {
        epoch,
        commitment: key.commitment(),
    };
    let chains = norte.chains();
    norte
        .roster
        .change(&norte.ada.keys, vec![announce], &chains, 6)
        .unwrap();
    let announced = *norte.roster.state().epoch().unwrap();
    let people = [
        &norte.ada,
        &norte.vera,
        &norte.vito,
        &norte.rita,
        &norte.rolf,
        &norte.otto,
    ];
    let readers = people
        .into_iter()
        .filter(|person| readers.contains(&person.id().0[0]));
    let wraps = readers.map(|person| {
        let wrap = key
            .wrap_for(&announced, &person.reader(), &mut OsEntropy)
            .unwrap();
        Blob(wrap.encode())
    });
    let wraps = wraps.collect();
    let root = SearchRoot::generate(NORTE, &mut OsEntropy).unwrap();
    let sealed = Blob(root.seal(&key, &mut OsEntropy).unwrap());
    let extension = RosterExtension {
        wraps,
        search_roots: vec![EpochSearchRoot { epoch, sealed }],
        ..extension(&norte.roster, 1)
    };
    (key, extension)
}

#[tokio::test]
async fn a_hub_key_reaches_every_member_and_nobody_else() {
    let mut norte = Norte::new().await;
    let roster = norte.roster.clone();
    let path = format!("/hubs/{NORTE}/roster");
    let (_, short) = key(&mut norte, 1, &[1, 2, 3, 4]);
    norte
        .town
        .post(&norte.ada, &path, &short)
        .await
        .refused(400);
    norte.roster = roster.clone();
    let (_, leaked) = key(&mut norte, 1, &[1, 2, 3, 4, 5, 6]);
    norte
        .town
        .post(&norte.ada, &path, &leaked)
        .await
        .refused(400);
    norte.roster = roster;
    let (key, whole) = key(&mut norte, 1, &[1, 2, 3, 4, 5]);
    norte.town.post(&norte.ada, &path, &whole).await.done();
    let keys_path = format!("/hubs/{NORTE}/keys");
    let keys: HubKeys = norte.town.get(&norte.vera, &keys_path).await.read();
    let wrap = HubKeyWrap::decode(&keys.keys[0].wrap.0).unwrap();
    let announced = norte.roster.state().epoch().unwrap();
    let opened = wrap.open(announced, &norte.vera.puk).unwrap();
    assert_eq!(opened.commitment(), key.commitment());
    SearchRoot::open(&opened, &keys.keys[0].search_root.0).unwrap();
    norte.town.get(&norte.otto, &keys_path).await.refused(403);

    // Otto comes later; Vera may not hand him the key, Ada does.
    let announced = *announced;
    let for_otto = key
        .wrap_for(&announced, &norte.otto.reader(), &mut OsEntropy)
        .unwrap();
    let for_otto = HubKeyWraps {
        wraps: vec![Blob(for_otto.encode())],
    };
    norte
        .town
        .post(&norte.ada, &keys_path, &for_otto)
        .await
        .refused(400);
    let otto = joins(&norte.otto, VOLUNTEER);
    norte.change(vec![otto]).await.done();
    norte
        .town
        .post(&norte.vera, &keys_path, &for_otto)
        .await
        .refused(403);
    norte
        .town
        .post(&norte.ada, &keys_path, &for_otto)
        .await
        .done();
    let keys: HubKeys = norte.town.get(&norte.otto, &keys_path).await.read();
    assert_eq!(keys.keys.len(), 1);
    // With a new key of her own, Vera seals the hub's anew for herself.
    let vera = &mut norte.vera;
    let puk = vera
        .chain
        .rotate_puk(&vera.keys, Some(&vera.puk), 8, &mut OsEntropy)
        .unwrap();
    let old = key.wrap_for(&announced, &vera.puk.reader(), &mut OsEntropy);
    let new = key.wrap_for(&announced, &puk.reader(), &mut OsEntropy);
    norte.town.follow(&norte.vera, 2).await;
    let only = |wrap: HubKeyWrap| HubKeyWraps {
        wraps: vec![Blob(wrap.encode())],
    };
    let outdated = only(old.unwrap());
    norte
        .town
        .post(&norte.vera, &keys_path, &outdated)
        .await
        .refused(409);
    let newest = only(new.unwrap());
    norte
        .town
        .post(&norte.vera, &keys_path, &newest)
        .await
        .done();
    let trail = norte.town.trail(&norte.ada, NORTE).await;
    assert!(trail.iter().any(|kind| kind == "hub-key-rotated"));
    assert_eq!(trail.last().unwrap(), "hub-key-shared");
}

#[tokio::test]
async fn settings_come_with_the_link_that_announces_them() {
    let mut norte = Norte::new().await;
    let (key, whole) = key(&mut norte, 1, &[1, 2, 3, 4, 5]);
    let path = format!("/hubs/{NORTE}/roster");
    norte.town.post(&norte.ada, &path, &whole).await.done();
    let seal = |text: &[u8]| SealedSettings::seal(&key, 1, text, &mut OsEntropy).unwrap();
    let (settings, other) = (seal(b"questions"), seal(b"others"));
    let chains = norte.chains();
    let announce = vec![settings.change()];
    norte
        .roster
        .change(&norte.ada.keys, announce, &chains, 7)
        .unwrap();
    let with = |settings: Option<&SealedSettings>| RosterExtension {
        settings: settings.map(|settings| Blob(settings.encode())),
        settings_parts: vec![SettingsPart::CustomFields],
        ..extension(&norte.roster, 1)
    };
    for wrong in [None, Some(&other)] {
        norte
            .town
            .post(&norte.ada, &path, &with(wrong))
            .await
            .refused(400);
    }
    norte
        .town
        .post(&norte.ada, &path, &with(Some(&settings)))
        .await
        .done();
    let kept = format!("/hubs/{NORTE}/settings");
    let answer: HubSettings = norte.town.get(&norte.rolf, &kept).await.read();
    assert_eq!(answer.settings.unwrap().0, settings.encode());
    norte.town.get(&norte.otto, &kept).await.refused(403);
    let told = norte.town.trail(&norte.ada, NORTE).await;
    let both = ["hub-settings-changed", "custom-fields-updated"];
    assert_eq!(told[told.len() - 2..], both);

    // Of what is not named, only that there is something new.
    let next = SealedSettings::seal(&key, 2, b"texts", &mut OsEntropy).unwrap();
    let chains = norte.chains();
    norte
        .roster
        .change(&norte.ada.keys, vec![next.change()], &chains, 8)
        .unwrap();
    let request = RosterExtension {
        settings: Some(Blob(next.encode())),
        ..extension(&norte.roster, 1)
    };
    norte.town.post(&norte.ada, &path, &request).await.done();
    let trail = norte.town.trail(&norte.ada, NORTE).await;
    assert_eq!(trail[told.len()..], ["hub-settings-changed"]);

    // Without settings, no part of them has changed.
    let chains = norte.chains();
    norte
        .roster
        .change(
            &norte.ada.keys,
            vec![joins(&norte.otto, VOLUNTEER)],
            &chains,
            9,
        )
        .unwrap();
    let request = RosterExtension {
        settings_parts: vec![SettingsPart::CustomFields],
        ..extension(&norte.roster, 1)
    };
    let answer = norte.town.post(&norte.ada, &path, &request).await;
    answer.refused(400);
    assert!(answer.text().contains("parts"), "{}", answer.text());
}

#[tokio::test]
async fn each_changed_part_of_the_settings_is_told_once() {
    let mut norte = Norte::new().await;
    let (key, whole) = key(&mut norte, 1, &[1, 2, 3, 4, 5]);
    let path = format!("/hubs/{NORTE}/roster");
    norte.town.post(&norte.ada, &path, &whole).await.done();
    let before = norte.town.trail(&norte.ada, NORTE).await.len();
    let settings = SealedSettings::seal(&key, 1, b"on the device", &mut OsEntropy).unwrap();
    let chains = norte.chains();
    norte
        .roster
        .change(&norte.ada.keys, vec![settings.change()], &chains, 7)
        .unwrap();
    let request = RosterExtension {
        settings: Some(Blob(settings.encode())),
        settings_parts: vec![
            SettingsPart::Transcription,
            SettingsPart::CustomFields,
            SettingsPart::Transcription,
        ],
        ..extension(&norte.roster, 1)
    };
    norte.town.post(&norte.ada, &path, &request).await.done();
    let trail = norte.town.trail(&norte.ada, NORTE).await;
    let (whole, parts) = trail[before..].split_first().unwrap();
    assert_eq!(whole, "hub-settings-changed");
    let mut parts = parts.to_vec();
    parts.sort();
    assert_eq!(parts, ["custom-fields-updated", "transcription-toggled"]);
}

#[tokio::test]
async fn profiles_are_for_who_manages_members() {
    let norte = Norte::new().await;
    let path = format!("/hubs/{NORTE}/profiles");
    let list: ProfileList = norte.town.get(&norte.ada, &path).await.read();
    assert_eq!(list.profiles.len(), 5);
    for person in [&norte.vera, &norte.rita, &norte.rolf] {
        norte.town.get(person, &path).await.refused(403);
    }
}
