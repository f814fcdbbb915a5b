use std::path::{Path, PathBuf};

use crypto::ReaderSecretKey;
use routing::{CallerHash, HubId, PhoneNumber, PromptKind, TrunkId, VolunteerId};
use sip::digest::Algorithm;
use sip::ua::{Account, TrunkKind};
use store::{BanRow, BreakRow};

use super::*;

mod conversion;
mod web;

const EXAMPLE: &str = include_str!("../../docs/hotline.example.toml");
const PLACEHOLDER: &str = "hlpub1replace-me";

fn reader_key() -> String {
    let key = ReaderSecretKey::from_bytes(&[7; 32]);
    key.public_key().to_string()
}

/// The example with a real reader key.
fn example() -> String {
    EXAMPLE.replace(PLACEHOLDER, &reader_key())
}

fn parsed(text: &str) -> Hotline {
    parse(text, Path::new("hotline.toml"))
        .unwrap_or_else(|report| panic!("{report}"))
        .hotline
}

/// The place of the only occurrence of `needle`, as `line:column`.
fn place_of(text: &str, needle: &str) -> String {
    let offset = text.find(needle).unwrap_or_else(|| panic!("no {needle}"));
    assert_eq!(text.matches(needle).count(), 1, "{needle} is there once");
    let line = text[..offset].matches('\n').count() + 1;
    let column = text[..offset].rsplit('\n').next().unwrap().chars().count() + 1;
    format!("hotline.toml:{line}:{column}: ")
}

/// Changes `from` into `to` in the example and looks for one refusal, at the place of `at` in
/// the result, that contains `says`. Returns what is there instead.
fn refusal(from: &str, to: &str, at: &str, says: &str) -> Result<(), String> {
    let original = example();
    assert!(original.contains(from), "{from}");
    let text = original.replacen(from, to, 1);
    let Err(report) = parse(&text, Path::new("hotline.toml")) else {
        return Err(format!("{to} is taken"));
    };
    let errors = report.problems.iter();
    let errors = errors.filter(|p| p.severity == Severity::Error).count();
    let (shown, place) = (report.to_string(), place_of(&text, at));
    let line = shown.lines().find(|line| line.starts_with(&place));
    match line {
        Some(line) if errors == 1 && line.contains(says) => Ok(()),
        _ => Err(format!("expected at {place}{says}\n{shown}")),
    }
}

fn warnings(text: &str) -> String {
    let read = parse(text, Path::new("hotline.toml")).unwrap_or_else(|r| panic!("{r}"));
    read.warnings.to_string()
}

#[test]
fn the_example_lacks_nothing_but_a_reader_key() {
    let report = parse(EXAMPLE, Path::new("hotline.toml")).unwrap_err();
    assert_eq!(report.problems.len(), 1, "{report}");
    assert!(report.to_string().contains("centralita keygen"), "{report}");
    assert!(!report.to_string().contains(PLACEHOLDER));
    assert_eq!(warnings(&example()), "");
}

/// What the example shows in comments as defaults are the defaults.
#[test]
fn the_example_tells_the_truth_about_defaults() {
    let text = example();
    for default in [
        "answer_after = 8",
        "queue_timeout = 90",
        "max_waiting = 20",
        "voicemail_max = 120",
        "voicemail_silence = 10",
        "wrap_up = 30",
        "ban_list = true",
        "rate_limit = true",
        "max_calls = 3",
        "window_s = 60",
        "calls = 50",
        "media_timeout = 60",
        "port = 5060",
        "transport = \"udp\"",
        "expires = 300",
        "listen = \"127.0.0.1:8443\"",
        "idle_minutes = 60",
        "unlocked_hours = 8",
        "passkeys = \"optional\"",
    ] {
        let comment = format!("# {default}\n");
        assert_eq!(text.matches(&comment).count(), 1, "{default}");
        let given = text.replace(&comment, &format!("{default}\n"));
        assert!(parsed(&given) == parsed(&text), "{default}");
    }
}

#[test]
fn every_mistake_has_its_line_and_a_sentence() {
    let cases = [
        (
            "language = \"es\"",
            "langauge = \"es\"\nlanguage = \"es\"",
            "langauge",
            "Did you mean `language`?",
        ),
        (
            "[limits]",
            "[limits]\ncolour = 1",
            "colour",
            "Known are: audit_days, calls, media_timeout.",
        ),
        (
            "# listen = \"127.0.0.1:8443\"",
            "listen = \"192.0.2.10:5060\" # web",
            "\"192.0.2.10:5060\" # web",
            "listened on in [network] already",
        ),
        (
            "# listen = \"127.0.0.1:8443\"",
            "listen = \"on\"",
            "\"on\"",
            "or `\"off\"`",
        ),
        (
            "# listen = \"127.0.0.1:8443\"",
            "listen = \"0.0.0.0\"",
            "[web]",
            "Add `origin = ",
        ),
        (
            "# certificate = \"panel.pem\"",
            "certificate = \"panel.pem\"",
            "[web]",
            "only one of `certificate` and `key`",
        ),
        (
            "# origin = \"https://panel.hotline.example\"",
            "origin = \"https://panel.hotline.example/\"",
            "\"https://panel.hotline.example/\"",
            "what browsers show before the path",
        ),
        (
            "# queue_timeout = 90",
            "queue_timeout = 29 # s",
            "29 # s",
            "from 30 to 300",
        ),
        (
            "# voicemail_max = 120",
            "voicemail_max = 301",
            "301",
            "from 30 to 300",
        ),
        (
            "# voicemail_max = 120",
            "voicemail_max = 1e2",
            "1e2",
            "whole number",
        ),
        (
            "numbers = [\"+15550100\", \"+15550101\"]",
            "numbers = [\"+15550100\", \"+1 (555) 0100\"]",
            "\"+1 (555) 0100\"",
            "already used in line",
        ),
        (
            "\"+15550101\"]",
            "\"sip:me\"]",
            "\"sip:me\"",
            "not a telephone number",
        ),
        (
            "time_zone = \"Europe/Madrid\"",
            "time_zone = \"Europe/Madird\"",
            "\"Europe/Madird\"",
            "no time zone",
        ),
        (
            "fallback = [\"night-team\"]",
            "fallback = [\"nigth-team\"]",
            "\"nigth-team\"",
            "Did you mean \"night-team\"?",
        ),
        (
            "[[group]]",
            "[[volunteer]]\nid = \"v01\"\n\n[[group]]",
            "\"v01\"\n\n[[group]]",
            "already used in line",
        ),
        (
            "[[group]]",
            "[[group]]\nid = \"v03\"\nvolunteers = [\"v01\"]\n\n[[group]]",
            "\"v03\"\nvolunteers",
            "already used in line",
        ),
        (
            "user = \"v02\"",
            "user = \"v01-desk\"",
            "\"v01-desk\", password = \"replace me: Ox",
            "already used in line",
        ),
        (
            "user = \"v02\"",
            "user = \"v02@x\"",
            "\"v02@x\"",
            "letters, digits",
        ),
        (
            "volunteers = [\"v02\", \"v03\"]",
            "volunteers = [\"v02x\"]",
            "\"v02x\"",
            "Did you mean \"v02\"?",
        ),
        (
            "volunteers = [\"v01\"]",
            "volunteers = []",
            "[[shift]]\nhub = \"norte\"\ndays = \"weekdays\"",
            "nobody on it",
        ),
        (
            "volunteers = [\"v02\", \"v03\"]",
            "volunteers = []",
            "\"night-team\"\nvolunteers",
            "nobody in it",
        ),
        (
            "groups = [\"night-team\"]",
            "groups = [\"day-team\"]",
            "\"day-team\"",
            "no group",
        ),
        (
            "hub = \"norte\"\ndays = \"daily\"",
            "hub = \"sur\"\ndays = \"daily\"",
            "\"sur\"",
            "no hub \"sur\"",
        ),
        (
            "days = \"daily\"",
            "days = [\"mon\", \"funday\"]",
            "\"funday\"",
            "not a day",
        ),
        (
            "to = \"22:00\"",
            "to = \"25:00\"",
            "\"25:00\"",
            "00:00 to 24:00",
        ),
        (
            "to = \"22:00\"",
            "to = \"9:00\"",
            "\"9:00\"",
            "00:00 to 24:00",
        ),
        (
            "kind = \"register\"",
            "kind = \"registre\"",
            "\"registre\"",
            "not a kind of trunk",
        ),
        (
            "\"192.0.2.20\", ",
            "\"carrier.example\", ",
            "\"carrier.example\"",
            "not an IP address",
        ),
        (
            "name = \"second-carrier\"",
            "name = \"carrier\"",
            "\"carrier\"\nkind = \"register\"",
            "already used in line",
        ),
        (
            "host = \"sip.carrier.example\"",
            "host = \"sip:carrier.example\"",
            "\"sip:carrier.example\"",
            "without `sip:`",
        ),
        (
            "password = \"as the carrier gave it\"\n",
            "",
            "\"second-carrier\"",
            "`password` or `password_file`",
        ),
        (
            "# password_file = \"second-carrier.password\"",
            "password_file = \"x\"",
            "\"second-carrier\"",
            "either",
        ),
        (
            "rtp_ports = \"20000-20999\"",
            "rtp_ports = \"20001-20999\"",
            "\"20001-20999\"",
            "even port",
        ),
        (
            "rtp_ports = \"20000-20999\"",
            "rtp_ports = \"5000-5999\"",
            "\"5000-5999\"",
            "port 5060",
        ),
        (
            "tcp = [\"192.0.2.10:5060\"]",
            "tcp = [\"192.0.2.10:5060\", \"0.0.0.0:5060\"]",
            "\"0.0.0.0:5060\"]",
            "listened on twice",
        ),
        (
            "udp = [\"192.0.2.10:5060\"]",
            "udp = [\"0.0.0.0\"]",
            "[network]",
            "Add `advertised",
        ),
        (
            "realm = \"hotline.example\"",
            "realm = \"hot line\"",
            "\"hot line\"",
            "host name",
        ),
        (
            "# greeting = \"greeting.wav\"",
            "greeting = \"greeting.wav\"",
            "\"greeting.wav\"",
            "both given",
        ),
        (
            "# hold_music = \"music.ogg\"",
            "hold_music = \"music.ogg\"",
            "\"music.ogg\"",
            "cannot be read",
        ),
        ("name = \"Línea Norte\"", "name = \"\"", "\"\"", "1 to 64"),
        (
            "language = \"es\"",
            "language = \"Spanish\"",
            "\"Spanish\"",
            "language tag",
        ),
        ("[[hub]]", "[hub]", "[hub]\n", "Write `[[hub]]`"),
        (
            "# ban_list = true",
            "ban_list = \"yes\"",
            "\"yes\"",
            "`true` or `false`",
        ),
        ("id = \"norte\"\n", "", "[[hub]]", "has no `id`"),
    ];
    let mut missed = Vec::new();
    for (from, to, at, says) in cases {
        missed.extend(refusal(from, to, at, says).err());
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn broken_toml_is_placed_too() {
    let text = "[network]\nrealm = \"x\nudp = 5\n";
    let report = parse(text, Path::new("hotline.toml"))
        .unwrap_err()
        .to_string();
    assert!(report.starts_with("hotline.toml:2:"), "{report}");
    assert!(report.contains("cannot be read as TOML"), "{report}");
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_lines() {
    let text = example()
        .replace("realm = \"hotline.example\"", "realm = \"hot line\"")
        .replace("Europe/Madrid\"\n", "Europe/Nowhere\"\n")
        .replace("days = \"daily\"", "days = \"never\"");
    let report = parse(&text, Path::new("hotline.toml")).unwrap_err();
    let lines: Vec<usize> = report.problems.iter().map(|p| p.line).collect();
    assert!(lines.len() >= 3, "{report}");
    assert!(lines.is_sorted(), "{report}");
    for says in ["host name", "no time zone", "not a day"] {
        assert!(report.to_string().contains(says), "{report}");
    }
}

#[test]
fn doubtful_settings_are_warned_about() {
    let with = |from: &str, to: &str| {
        let text = example();
        assert!(text.contains(from));
        warnings(&text.replace(from, to))
    };
    let weak = with("replace me: Ox9u-Geim-eepo", "short");
    assert!(weak.contains("fewer than 12 characters"), "{weak}");
    assert!(!weak.contains("\"short\""), "{weak}");
    let foreign = with("language = \"es\"", "language = \"ht\"");
    assert!(foreign.contains("callers will hear English"), "{foreign}");
    let ports = with("20000-20999", "20000-20099");
    assert!(
        ports.contains("50 pairs of RTP ports are few for 50 calls"),
        "{ports}"
    );
    let text = example();
    let shifts = text.find("[[shift]]").unwrap();
    let nobody = warnings(&text[..shifts].replace("fallback = [\"night-team\"]\n", ""));
    assert!(nobody.contains("nobody is ever rung"), "{nobody}");
    let phoneless = warnings(&format!("{text}\n[[volunteer]]\nid = \"dora\"\n"));
    assert!(phoneless.contains("cannot be rung"), "{phoneless}");
}

#[test]
fn a_missing_file_is_a_sentence_and_not_utf_8_is_too() {
    let report = read(Path::new("/nonexistent/hotline.toml"))
        .unwrap_err()
        .to_string();
    assert!(report.contains("cannot be read"), "{report}");
    let file = scratch("latin1").join("hotline.toml");
    std::fs::write(&file, b"[network]\nrealm = \"\xe9\"\n").unwrap();
    let report = read(&file).unwrap_err().to_string();
    assert!(report.contains("line 2 is not UTF-8"), "{report}");
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
}

#[test]
fn applying_the_same_file_again_changes_nothing() {
    let first = parsed(&example());
    let again = parsed(&example());
    assert_eq!(diff(Some(&first), &again), []);
    assert_eq!(first.hash(), again.hash());
    let stored = Hotline::from_canonical(&first.to_canonical()).unwrap();
    assert!(stored == first);
    assert_eq!(stored.to_canonical(), first.to_canonical());
}

#[test]
fn the_stored_form_holds_no_password_of_a_phone() {
    let canonical = parsed(&example()).to_canonical();
    assert!(!canonical.contains("replace me"));
    let ha1 = Algorithm::Sha256.ha1("v01-desk", "hotline.example", "replace me: Ahk4-oova-Phu7");
    assert!(canonical.contains(&ha1));
    assert!(!format!("{:?}", parsed(&example())).contains(&ha1));
}

#[test]
fn a_comparison_names_what_differs_and_shows_no_secret() {
    let old = example();
    let new = old
        .replace("# queue_timeout = 90", "queue_timeout = 120")
        .replace("Ahk4-oova-Phu7", "different-secret")
        .replace("as the carrier gave it", "as it gave it later")
        .replace("\"+15550101\"", "\"+15550102\"")
        .replace("groups = [\"night-team\"]", "volunteers = [\"v03\"]")
        .replace("# rate_limit = true", "rate_limit = false")
        .replace("id = \"v02\"", "id = \"bea\"")
        .replace(
            "volunteers = [\"v02\", \"v03\"]",
            "volunteers = [\"bea\", \"v03\"]",
        );
    let changes = diff(Some(&parsed(&old)), &parsed(&new));
    let shown: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "~ hub norte: numbers ++15550102, numbers -+15550101, queue_timeout 90 s → 120 s, rate_limit 3 in 60 s → off",
            "+ volunteer bea",
            "~ volunteer v01: password of v01-desk changed",
            "- volunteer v02",
            "~ group night-team: volunteers +bea, volunteers -v02",
            "+ shift of norte: mon tue wed thu fri sat sun 22:00-08:00, v03",
            "- shift of norte: mon tue wed thu fri sat sun 22:00-08:00, night-team",
            "~ trunk second-carrier: password changed",
        ]
    );
    let first: Vec<String> = diff(None, &parsed(&old))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(first.contains(&"+ hub norte".to_owned()));
    assert!(first.iter().all(|line| line.starts_with('+')), "{first:?}");
}

#[test]
fn a_new_recording_under_the_old_name_is_noticed() {
    let folder = scratch("recording");
    let file = folder.join("hotline.toml");
    let text = example().replace("# hold_music = \"music.ogg\"", "hold_music = \"music.ogg\"");
    std::fs::write(folder.join("music.ogg"), b"first").unwrap();
    let old = parse(&text, &file).unwrap().hotline;
    std::fs::write(folder.join("music.ogg"), b"second").unwrap();
    let read = parse(&text, &file).unwrap();
    let changes = diff(Some(&old), &read.hotline);
    assert_eq!(changes.len(), 1);
    assert_eq!(
        changes[0].to_string(),
        "~ hub norte: the recording of hold_music changed"
    );
    let report = read.prompt_report("norte", PromptKind::HoldMusic, "It is noise.");
    assert!(report.to_string().ends_with("It is noise."));
    assert!(report.problems[0].line > 100, "{report}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_password_can_lie_in_a_file_of_its_own() {
    let folder = scratch("password");
    std::fs::write(folder.join("trunk.password"), "s3cret\n").unwrap();
    let text = example().replace(
        "password = \"as the carrier gave it\"",
        "password_file = \"trunk.password\"",
    );
    let hotline = parse(&text, &folder.join("hotline.toml")).unwrap().hotline;
    let Trunk::Register { password, .. } = &hotline.trunks["second-carrier"] else {
        panic!("it registers");
    };
    assert_eq!(password.reveal(), "s3cret");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn names_of_people_are_warned_about_in_their_place() {
    let text = example().replace("\"v02\"", "\"bea\"");
    let sentence = warnings(&text);
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    assert!(sentence.contains("\"bea\" may be names"), "{sentence}");
}

#[test]
fn the_demonstration_parses_and_no_two_are_alike() {
    let key = ReaderSecretKey::from_bytes(&[7; 32]);
    let make = || demo_hotline(key.public_key(), DemoPorts::default()).unwrap();
    let demo = make();
    assert_eq!(warnings(demo.text.reveal()), "");
    let hotline = parsed(demo.text.reveal());
    let router = hotline.to_router_config(&[], &[]);
    let number = PhoneNumber::parse(DEMO_NUMBER).unwrap();
    assert!(router.numbers.contains_key(&number));
    let hub = &router.hubs[&HubId::new("demo")];
    assert_eq!(hub.fallback.len(), demo.phones.len());
    let ua = hotline.to_ua_config("x");
    for (user, password) in &demo.phones {
        let stored = &ua.accounts[&Account(user.clone())];
        let ha1 = |algorithm: Algorithm| algorithm.ha1(user, demo.realm, password.reveal());
        assert_eq!(stored.md5_hex, ha1(Algorithm::Md5));
        let newer = (user != OLD_PHONE).then(|| ha1(Algorithm::Sha256));
        assert_eq!(stored.sha256_hex, newer);
    }
    assert!(make().phones[0].1 != demo.phones[0].1);
    assert!(ua.default_local.ip().is_loopback());
}

fn scratch(name: &str) -> PathBuf {
    let name = format!("centralita-hotline-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn the_trail_is_kept_for_ninety_days_or_as_the_file_says() {
    let days = |line: &str| {
        let text = example().replacen("[limits]\n", &format!("[limits]\n{line}\n"), 1);
        parsed(&text).limits.audit_days
    };
    assert_eq!(days(""), Some(90));
    assert_eq!(days("audit_days = 7"), Some(7));
    assert_eq!(days("audit_days = 0"), None);
    // A hotline that was applied before there was a limit.
    let hotline = parsed(&example());
    let mut stored: serde_json::Value = serde_json::from_str(&hotline.to_canonical()).unwrap();
    let limits = stored["limits"].as_object_mut().unwrap();
    assert!(limits.remove("audit_days").is_some());
    let read = Hotline::from_canonical(&stored.to_string()).unwrap();
    assert_eq!(read.limits.audit_days, Some(90));
}
