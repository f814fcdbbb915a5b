//! The texts and bytes of the log, beside what others read and write.

use crypto::transparency::{
    AddCheckpoint, Checkpoint, Leaf, Log, LogKey, NoteName, Proof, SafetyNumber, SignedCheckpoint,
    WitnessKey,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::peer::{ask, hex};
use crate::{NOW_S, ORIGIN, World, entry, head, name, person};

#[test]
fn keys_are_written_as_others_write_them() {
    // The example of golang.org/x/mod/sumdb/note.
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let key: LogKey = text.parse().unwrap();
    assert_eq!(
        (key.name().as_str(), key.to_string().as_str()),
        ("PeterNeumann", text)
    );
    assert!(text.parse::<WitnessKey>().is_err());
    for wrong in [
        "",
        "a+b",
        &text.replace("c74f", "c74e"),
        &text[..60],
        &format!("{text}A"),
    ] {
        assert!(wrong.parse::<LogKey>().is_err(), "{wrong}");
    }
    let world = World::new();
    for key in &world.keys {
        assert_eq!(key.to_string().parse::<WitnessKey>().as_ref(), Ok(key));
    }
    for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b"] {
        assert!(NoteName::new(name).is_err());
    }
}

#[test]
fn two_people_read_the_same_sixty_digits() {
    let (one, other) = ((person(1), head(3, 5)), (person(2), head(1, 6)));
    let number = SafetyNumber::new(one, other);
    assert_eq!(number, SafetyNumber::new(other, one));
    let shown = number.to_string();
    assert_eq!(shown.chars().filter(char::is_ascii_digit).count(), 60);
    assert_eq!(
        (shown.lines().count(), shown.split_whitespace().count()),
        (3, 12)
    );
    for changed in [
        (person(1), head(4, 5)),
        (person(1), head(3, 6)),
        (person(3), head(3, 5)),
    ] {
        assert_ne!(SafetyNumber::new(changed, other), number);
    }
}

#[test]
fn a_verifier_written_from_the_page_agrees() {
    for (first, second) in [(5, 12), (8, 9), (1, 64), (7, 7)] {
        let mut world = World::new();
        let leaf = |place: u8| entry(place, 1 + u32::from(place), place);
        world.log = Log::from_leaves(name(ORIGIN), (0..first).map(leaf));
        let old = world.publish(NOW_S);
        for place in first..second {
            world.log.append(leaf(place));
        }
        let new = world.publish(NOW_S + 60);
        let (old_size, size) = (u64::from(first), u64::from(second));
        let proof = |proof: Option<Proof>| -> Vec<String> {
            proof.unwrap().hashes().iter().map(hex).collect()
        };
        let mut request = json!({
            "log": world.signer.key().to_string(),
            "witnesses": world.keys.iter().map(WitnessKey::to_string).collect::<Vec<_>>(),
            "checkpoints": [old.as_str(), new.as_str()],
            "leaves": world.log.leaves().iter().map(|leaf| hex(leaf.encode())).collect::<Vec<_>>(),
            "consistency": proof(world.log.prove_consistency(old_size, size)),
            "inclusion": (0..size)
                .map(|place| proof(world.log.prove_inclusion(place, size)))
                .collect::<Vec<_>>(),
            "people": [
                [hex(person(1).as_bytes()), hex(head(3, 5).encode())],
                [hex(person(2).as_bytes()), hex(head(1, 6).encode())],
            ],
        });
        let answer = ask("verify_log.py", &request).unwrap();
        let time = [NOW_S + 60];
        assert_eq!(answer["times"], json!([time, time, time]));
        assert_eq!(answer["consistent"], json!(true));
        let all = |value: bool| Value::from(vec![value; usize::from(second)]);
        assert_eq!(answer["included"], all(true));
        assert_eq!(answer["swapped"], all(false));
        let digits = SafetyNumber::new((person(2), head(1, 6)), (person(1), head(3, 5)));
        let digits: Vec<_> = digits
            .to_string()
            .split_whitespace()
            .map(String::from)
            .collect();
        assert_eq!(answer["safety_number"], json!(digits));

        let forged = new.as_str().replace("\n\u{2014} two", "\n\u{2014} one");
        request["checkpoints"][1] = json!(forged);
        // Another name makes another id: nobody's signature.
        let answer = ask("verify_log.py", &request).unwrap();
        assert_eq!(answer["times"], json!([time, [], time]));
        request["checkpoints"][1] =
            json!(new.as_str().replacen(&format!("\n{second}\n"), "\n99\n", 1));
        let refused = ask("verify_log.py", &request).unwrap_err();
        assert_eq!(
            refused,
            format!("refused: a signature of {ORIGIN} is forged")
        );
    }
}

proptest! {
    #[test]
    fn no_text_and_no_bytes_make_a_panic(text: String, bytes: Vec<u8>) {
        prop_assert!(SignedCheckpoint::parse(&text).is_err());
        prop_assert!(AddCheckpoint::parse(&text).is_err());
        prop_assert!(text.parse::<LogKey>().is_err());
        prop_assert!(text.parse::<WitnessKey>().is_err());
        if bytes.len() != Leaf::BYTES {
            prop_assert!(Leaf::decode(&bytes).is_err());
        }
    }

    #[test]
    fn an_altered_request_is_read_as_what_it_says(place in 0_usize..1000, byte in 0_u8..128) {
        let mut world = World::new();
        world.publish(NOW_S);
        world.log.append(entry(1, 2, 3));
        let signed = world.log.sign(&world.signer);
        let body = world.log.request(5, &signed).unwrap().to_body();
        let mut altered = body.clone().into_bytes();
        let place = place % altered.len();
        altered[place] = byte;
        if let Ok(altered) = String::from_utf8(altered) {
            if let Ok(read) = AddCheckpoint::parse(&altered) {
                prop_assert_eq!(read.to_body(), altered.clone());
            }
            let answer = world.witnesses[0].add_checkpoint(&altered, NOW_S);
            prop_assert_eq!(answer.is_ok(), altered == body);
        }
    }

    #[test]
    fn leaves_read_as_they_were_written(user in 0_u8.., seqno in 0_u32.., byte in 0_u8..) {
        let leaf = entry(user, seqno, byte);
        prop_assert_eq!(Leaf::decode(&leaf.encode()), Ok(leaf));
        let mut other = leaf.encode();
        other[0] = byte.max(4);
        prop_assert!(Leaf::decode(&other).is_err());
    }
}

#[test]
fn a_checkpoint_is_the_text_of_the_specification() {
    let root = *b"\x0a\xc5\x18\x6a\x91\x86\x3e\x8e\x1d\x90\xc8\x08\x01\x4a\xa8\x9b\
        \xf5\xda\x8e\x3e\xe1\xd9\xf0\x76\x30\xf0\x37\x8f\x68\xf1\xab\x62";
    let checkpoint = Checkpoint {
        origin: name("example.com/behind-the-sofa"),
        size: 20_852_163,
        root,
    };
    // The first three lines of the example in c2sp.org/tlog-checkpoint.
    let text =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    assert_eq!(checkpoint.text(), text);
}
