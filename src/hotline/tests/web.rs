//! `[web]`.

use std::path::Path;

use super::{example, parsed};
use crate::hotline::{Hotline, PasskeyRule, diff, parse};

#[test]
fn the_panel_is_where_browsers_look_for_it() {
    let with = |lines: &str| {
        let text = example().replacen("[web]\n", &format!("[web]\n{lines}\n"), 1);
        parsed(&text).web.origin()
    };
    assert_eq!(with("").as_deref(), Some("https://127.0.0.1:8443"));
    assert_eq!(
        with("listen = \"[2001:db8::1]:443\"").as_deref(),
        Some("https://[2001:db8::1]")
    );
    let named = "listen = \"0.0.0.0:443\"\norigin = \"https://panel.example:8443\"";
    assert_eq!(with(named).as_deref(), Some("https://panel.example:8443"));
    assert_eq!(with("listen = \"off\""), None);
}

/// A hotline that was applied before there was a panel.
#[test]
fn a_stored_hotline_without_a_web_section_gets_the_default() {
    let hotline = parsed(&example());
    let mut stored: serde_json::Value = serde_json::from_str(&hotline.to_canonical()).unwrap();
    assert!(stored.as_object_mut().unwrap().remove("web").is_some());
    let read = Hotline::from_canonical(&stored.to_string()).unwrap();
    assert!(read == hotline);
}

#[test]
fn witnesses_are_named_once_each_with_key_and_address() {
    let name = crypto::transparency::NoteName::new("partner.example").unwrap();
    let key = crypto::SigningKey::from_seed(&[1; 32]);
    let key = crypto::transparency::WitnessSigner::new(name, key)
        .key()
        .to_string();
    let with = |line: &str| {
        let text = example().replacen("[web]\n", &format!("[web]\n{line}\n"), 1);
        parse(&text, Path::new("hotline.toml"))
    };
    let good = format!("{key} https://witness.partner.example");
    let read = with(&format!("witnesses = [\"{good}\"]")).unwrap().hotline;
    assert_eq!(String::from(read.web.witnesses[0].clone()), good);
    let again = Hotline::from_canonical(&read.to_canonical()).unwrap();
    assert!(again == read);
    for (list, sentence) in [
        (format!("[\"{key}\"]"), "a space, and its address"),
        (format!("[\"{good}\", \"{good}\"]"), "named twice"),
    ] {
        let refused = with(&format!("witnesses = {list}"))
            .unwrap_err()
            .to_string();
        assert!(refused.contains(sentence), "{refused}");
    }
}

#[test]
fn how_long_people_stay_in_is_the_operators_to_say() {
    let with = |lines: &str| {
        let text = example().replacen("[web]\n", &format!("[web]\n{lines}\n"), 1);
        parse(&text, Path::new("hotline.toml"))
    };
    let times = |hotline: &Hotline| (hotline.web.idle_minutes, hotline.web.unlocked_hours);
    let usual = with("").unwrap().hotline;
    assert_eq!(times(&usual), (60, 8));
    let short = with("idle_minutes = 15\nunlocked_hours = 2")
        .unwrap()
        .hotline;
    assert_eq!(times(&short), (15, 2));
    let lines: Vec<String> = diff(Some(&usual), &short)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(lines, ["~ web: idle_minutes 60 → 15, unlocked_hours 8 → 2"]);
    for (line, sentence) in [
        ("idle_minutes = 4", "from 5 to 240"),
        ("idle_minutes = 241", "from 5 to 240"),
        ("unlocked_hours = 0", "from 1 to 24"),
        ("unlocked_hours = 25", "from 1 to 24"),
    ] {
        let refused = with(line).unwrap_err().to_string();
        assert!(refused.contains(sentence), "{refused}");
    }
    // A hotline that was applied before there were such settings.
    let mut stored: serde_json::Value = serde_json::from_str(&usual.to_canonical()).unwrap();
    let web = stored["web"].as_object_mut().unwrap();
    assert!(web.remove("idle_minutes").is_some() && web.remove("unlocked_hours").is_some());
    let read = Hotline::from_canonical(&stored.to_string()).unwrap();
    assert!(read == usual);
}

#[test]
fn passkeys_are_the_peoples_choice_unless_the_operator_turns_them_off() {
    let with = |line: &str| {
        let text = example().replacen("[web]\n", &format!("[web]\n{line}\n"), 1);
        parse(&text, Path::new("hotline.toml"))
    };
    let usual = with("").unwrap().hotline;
    assert_eq!(usual.web.passkeys, PasskeyRule::Optional);
    assert!(with("passkeys = \"optional\"").unwrap().hotline == usual);
    let off = with("passkeys = \"off\"").unwrap().hotline;
    assert_eq!(off.web.passkeys, PasskeyRule::Off);
    let again = Hotline::from_canonical(&off.to_canonical()).unwrap();
    assert!(again == off);
    let lines: Vec<String> = diff(Some(&usual), &off)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(lines, ["~ web: passkeys optional → off"]);
    for (line, sentence) in [
        (
            "passkeys = \"never\"",
            "`passkeys` must be \"optional\" or \"off\".",
        ),
        ("passkeys = false", "`passkeys` must be text."),
    ] {
        let refused = with(line).unwrap_err().to_string();
        assert!(refused.contains(sentence), "{refused}");
    }
    // A hotline that was applied before there was such a rule.
    let mut stored: serde_json::Value = serde_json::from_str(&usual.to_canonical()).unwrap();
    let web = stored["web"].as_object_mut().unwrap();
    assert!(web.remove("passkeys").is_some());
    let read = Hotline::from_canonical(&stored.to_string()).unwrap();
    assert!(read == usual);
}

#[test]
fn a_running_server_takes_the_rule_for_passkeys_and_nothing_else_of_its_section() {
    let with = |line: &str| {
        let text = example().replacen("[web]\n", &format!("[web]\n{line}\n"), 1);
        parsed(&text).web
    };
    let usual = with("");
    assert!(!usual.restarts_for(&with("passkeys = \"off\"")));
    assert!(usual.restarts_for(&with("idle_minutes = 15")));
    assert!(usual.restarts_for(&with("passkeys = \"off\"\nidle_minutes = 15")));
}
