//! What the router, the user agent and the exchange are told.

use super::*;

#[test]
fn the_router_gets_people_groups_bans_and_breaks() {
    let hotline = parsed(&example());
    let at = jiff::Timestamp::UNIX_EPOCH;
    let end = jiff::Timestamp::constant(60, 0);
    let ban = |hub: &str, byte| BanRow {
        hub: hub.to_owned(),
        caller: store::CallerHash([byte; 32]),
        created_at: at,
        expires_at: (byte == 3).then_some(end),
        reason: None,
    };
    let breaks = [BreakRow {
        volunteer: "v02".to_owned(),
        since: at,
    }];
    let router =
        hotline.to_router_config(&[ban("norte", 1), ban("sur", 2), ban("norte", 3)], &breaks);
    let hub = &router.hubs[&HubId::new("norte")];
    let ids = |names: &[&str]| names.iter().map(|n| VolunteerId::new(n)).collect();
    assert_eq!(hub.fallback, ids(&["v02", "v03"]));
    assert_eq!(hub.schedule.shifts[1].volunteers, ids(&["v02", "v03"]));
    assert_eq!(hub.schedule.shifts[0].days.len(), 5);
    assert_eq!(hub.schedule.zone.iana_name(), Some("Europe/Madrid"));
    assert_eq!(hub.queue_timeout.as_secs(), 90);
    let bans = hub.screening.bans.as_ref().unwrap();
    let holds = |byte, wall| bans.holds(CallerHash([byte; 32]), wall);
    assert!(holds(1, jiff::Timestamp::MAX));
    assert!(!holds(2, at), "another hub's");
    assert!(holds(3, at) && !holds(3, end), "only until its end");
    let number = PhoneNumber::parse("0015550101").unwrap();
    assert_eq!(router.numbers[&number], HubId::new("norte"));
    let volunteer = |id| &router.volunteers[&VolunteerId::new(id)];
    assert!(volunteer("v02").on_break);
    assert!(!volunteer("v01").on_break);
    assert_eq!(volunteer("v01").accounts.len(), 2);
    assert_eq!(hotline.readers()[&HubId::new("norte")].len(), 1);

    let off = example().replace("# ban_list = true", "ban_list = false");
    let router = parsed(&off).to_router_config(&[ban("norte", 1)], &[]);
    assert!(router.hubs[&HubId::new("norte")].screening.bans.is_none());
}

#[test]
fn the_user_agent_gets_accounts_and_trunks() {
    let ua = parsed(&example()).to_ua_config("Centralita/0");
    assert_eq!(ua.accounts.len(), 4);
    let desk = &ua.accounts[&Account("v01-desk".to_owned())];
    let password = "replace me: Ahk4-oova-Phu7";
    let ha1 = |algorithm: Algorithm| algorithm.ha1("v01-desk", "hotline.example", password);
    assert_eq!(desk.sha256_hex, Some(ha1(Algorithm::Sha256)));
    assert_eq!(desk.md5_hex, ha1(Algorithm::Md5));
    assert_eq!(ua.default_local, "192.0.2.10:5060".parse().unwrap());
    let TrunkKind::Address { peers } = &ua.trunks[0].kind else {
        panic!("the first trunk goes by address");
    };
    assert_eq!(
        *peers,
        [
            "192.0.2.20:0".parse().unwrap(),
            "192.0.2.21:5060".parse().unwrap()
        ]
    );
    let TrunkKind::Register { password, tcp, .. } = &ua.trunks[1].kind else {
        panic!("the second one registers");
    };
    assert_eq!(password.0, "as the carrier gave it");
    assert!(!tcp);
}

#[test]
fn a_phone_that_fails_on_sha_256_can_do_without() {
    let text = example().replace("Ahk4-oova-Phu7\" }", "Ahk4-oova-Phu7\", md5_only = true }");
    let ua = parsed(&text).to_ua_config("Centralita/0");
    let secrets = |user: &str| &ua.accounts[&Account(user.to_owned())];
    assert_eq!(secrets("v01-desk").sha256_hex, None);
    assert!(secrets("v01-mobile").sha256_hex.is_some());
}

#[test]
fn a_carrier_that_names_no_number_calls_the_one_that_is_given() {
    let number = |text: &str| PhoneNumber::parse(text).unwrap();
    let trunk = TrunkId::new("second-carrier");
    let called = parsed(&example()).to_called_numbers();
    assert!(called.known.contains(&number("+15550101")));
    assert_eq!(called.assumed.get(&trunk), None, "there are several");
    let told = |text: &str| {
        let line = format!("user = \"our-account\"\nnumber = \"{text}\"");
        example().replace("user = \"our-account\"", &line)
    };
    let called = parsed(&told("+15550101")).to_called_numbers();
    assert_eq!(called.assumed.get(&trunk), Some(&number("+15550101")));
    let line = "user = \"our-account\"";
    let wrong = "user = \"our-account\"\nnumber = \"+15559999\"";
    refusal(line, wrong, "\"+15559999\"", "is not a number of any hub").unwrap();
    let alone = example().replace("\"+15550100\", \"+15550101\"", "\"+15550100\"");
    let called = parsed(&alone).to_called_numbers();
    assert_eq!(called.assumed.get(&trunk), Some(&number("+15550100")));
}
