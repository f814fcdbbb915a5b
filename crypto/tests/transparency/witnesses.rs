//! Whose confirmations count, and what a witness confirms.

use crypto::transparency::{
    AddCheckpoint, CheckpointRefused, Client, Log, LogSigner, Proof, Witness, WitnessKey,
    WitnessSigner,
};

use crate::{DAY_S, NOW_S, ORIGIN, World, accept, entry, name, signing};

#[test]
fn old_confirmations_and_those_from_the_future_do_not_count() {
    let mut world = World::new();
    let signed = world.publish(NOW_S);
    let accept = |now_s: u64| {
        let mut client = world.client();
        client.accept(signed.as_str(), &Proof::default(), now_s, DAY_S)
    };
    assert_eq!(accept(NOW_S + DAY_S), Ok(()));
    let age_s = DAY_S + 1;
    assert_eq!(
        accept(NOW_S + age_s),
        Err(CheckpointRefused::Stale { age_s })
    );
    assert_eq!(accept(NOW_S - 300), Ok(()));
    let (found, needed) = (0, 2);
    let few = CheckpointRefused::TooFewWitnesses { found, needed };
    assert_eq!(accept(NOW_S - 301), Err(few));
    // One fresh confirmation does not make the second one fresh.
    let log = world.log.clone();
    world.confirm(&log, &[0], NOW_S).unwrap();
    let mixed = world.confirm(&log, &[1], NOW_S + 2 * DAY_S).unwrap();
    let line = signed
        .as_str()
        .lines()
        .find(|line| line.contains("one.example"));
    let mixed = mixed
        .with_cosignatures(&format!("{}\n", line.unwrap()))
        .unwrap();
    let mut client = world.client();
    let proof = Proof::default();
    let refused = client.accept(mixed.as_str(), &proof, NOW_S + 2 * DAY_S, DAY_S);
    let age_s = 2 * DAY_S;
    assert_eq!(refused, Err(CheckpointRefused::Stale { age_s }));
}

#[test]
fn forged_signatures_are_refused_and_unknown_ones_ignored() {
    let mut world = World::new();
    let signed = world.publish(NOW_S);
    let mut client = world.client();
    // Another key under the name of a witness has another id: ignored.
    let fake = WitnessSigner::new(name("one.example/w"), signing());
    let mut impostor = Witness::new(fake);
    impostor.watch(world.signer.key().clone());
    let body = world
        .log
        .request(0, &world.log.sign(&world.signer))
        .unwrap()
        .to_body();
    let line = impostor.add_checkpoint(&body, NOW_S).unwrap();
    let lonely = world
        .log
        .sign(&world.signer)
        .with_cosignatures(&line)
        .unwrap();
    let (found, needed) = (0, 2);
    let refused = accept(&mut client, &world.log, &lonely).unwrap_err();
    assert_eq!(
        refused,
        CheckpointRefused::TooFewWitnesses { found, needed }
    );
    accept(
        &mut client,
        &world.log,
        &signed.with_cosignatures(&line).unwrap(),
    )
    .unwrap();

    // The same line twice is one witness.
    let one = signed
        .as_str()
        .lines()
        .find(|line| line.contains("one.example"));
    let twice = format!("{0}\n{0}\n", one.unwrap());
    let doubled = world
        .log
        .sign(&world.signer)
        .with_cosignatures(&twice)
        .unwrap();
    let refused = accept(&mut client, &world.log, &doubled).unwrap_err();
    let found = 1;
    assert_eq!(
        refused,
        CheckpointRefused::TooFewWitnesses { found, needed }
    );

    // A witness's signature under another checkpoint, or the log's own missing.
    world.log.append(entry(1, 2, 2));
    let next = world.log.sign(&world.signer);
    let moved = next
        .with_cosignatures(&format!("{}\n", one.unwrap()))
        .unwrap();
    let refused = accept(&mut client, &world.log, &moved).unwrap_err();
    assert_eq!(refused, CheckpointRefused::WitnessForged);
    let stranger = LogSigner::new(name(ORIGIN), signing());
    let refused = accept(&mut client, &world.log, &world.log.sign(&stranger)).unwrap_err();
    assert_eq!(refused, CheckpointRefused::NotSigned);
    let elsewhere = LogSigner::new(name("elsewhere.example"), signing());
    let log = Log::new(name("elsewhere.example"));
    let refused = accept(&mut client, &world.log, &log.sign(&elsewhere)).unwrap_err();
    assert_eq!(refused, CheckpointRefused::OtherLog);
}

#[test]
fn a_witness_answers_as_the_specification_says() {
    let mut world = World::new();
    let signed = world.log.sign(&world.signer);
    let good = world.log.request(0, &signed).unwrap();
    assert!(
        good.to_body()
            .starts_with("old 0\n\nhotline.example/keys\n5\n")
    );
    let refuse = |world: &mut World, body: &str| {
        let refused = world.witnesses[0].add_checkpoint(body, NOW_S).unwrap_err();
        refused.status()
    };
    let body = good.to_body();
    for malformed in [
        String::new(),
        body.replace("old 0", "old 00"),
        body.replace("old 0", "new 0"),
        body.replace("old 0", "old -1"),
        body.replace("old 0\n", "old 0\nnot base64\n"),
        body.replace("old 0\n", "old 6\n"),
        body.replace(
            "old 0\n",
            &format!("old 0\n{}", format!("{}=\n", "A".repeat(43)).repeat(64)),
        ),
        body.replace("\n5\n", "\n05\n"),
    ] {
        assert_eq!(refuse(&mut world, &malformed), 400, "{malformed}");
    }
    assert_eq!(
        refuse(&mut world, &body.replace(ORIGIN, "other.example")),
        404
    );
    assert_eq!(refuse(&mut world, &body.replace("\n5\n", "\n4\n")), 403);
    assert_eq!(refuse(&mut world, &body.replace("old 0\n", "old 3\n")), 409);
    // A proof where none belongs.
    let surplus = body.replace("old 0\n", &format!("old 0\n{}=\n", "A".repeat(43)));
    assert_eq!(refuse(&mut world, &surplus), 422);
    assert!(world.witnesses[0].latest(&name(ORIGIN)).is_none());

    let line = world.witnesses[0].add_checkpoint(&body, NOW_S).unwrap();
    assert!(line.starts_with("\u{2014} one.example/w ") && line.ends_with('\n'));
    assert_eq!(AddCheckpoint::parse(&body).unwrap(), good);
    // The same again, from where the witness is now.
    let again = world.log.request(5, &signed).unwrap().to_body();
    world.witnesses[0]
        .add_checkpoint(&again, NOW_S + 60)
        .unwrap();
}

#[test]
fn an_empty_log_is_confirmed_only_with_the_empty_root() {
    let signer = LogSigner::new(name(ORIGIN), signing());
    let mut witness = Witness::new(WitnessSigner::new(name("one.example"), signing()));
    witness.watch(signer.key().clone());
    let mut log = Log::new(name(ORIGIN));
    for _ in 0..3 {
        let old = witness.latest(&name(ORIGIN));
        let old = old.map_or(0, |latest| latest.checkpoint().size);
        let request = log.request(old, &log.sign(&signer)).unwrap();
        witness.add_checkpoint(&request.to_body(), NOW_S).unwrap();
        log.append(entry(1, log.size() as u32 + 1, 1));
    }
}

#[test]
fn clients_are_not_made_with_witnesses_that_add_nothing() {
    let world = World::new();
    let log = world.signer.key().clone();
    let keys = &world.keys;
    for (witnesses, needed) in [
        (keys.clone(), 0),
        (keys.clone(), 4),
        (Vec::new(), 0),
        (vec![keys[0].clone(), keys[0].clone()], 2),
        (vec![WitnessKey::new(name("self.example"), *log.key())], 1),
        (
            (0..17)
                .map(|_| WitnessSigner::new(name("w"), signing()).key().clone())
                .collect(),
            2,
        ),
    ] {
        assert!(Client::new(log.clone(), witnesses, needed).is_err());
    }
}

#[test]
fn a_witness_that_confirms_again_has_one_line() {
    let mut world = World::new();
    let mut signed = world.publish(NOW_S);
    let log = world.log.clone();
    let size = log.size();
    for hour in 1..100 {
        let body = log.request(size, &log.sign(&world.signer)).unwrap();
        let witness = &mut world.witnesses[0];
        let answer = witness
            .add_checkpoint(&body.to_body(), NOW_S + hour * 3_600)
            .unwrap();
        // What others say in its answer is left out.
        let stranger = WitnessSigner::new(name("stranger.example"), signing());
        let mut stranger = Witness::new(stranger);
        stranger.watch(world.signer.key().clone());
        let first = log.request(0, &log.sign(&world.signer)).unwrap();
        let gossip = stranger.add_checkpoint(&first.to_body(), NOW_S).unwrap();
        let lines = world.keys[0].confirmation(&signed, &format!("{gossip}{answer}"));
        let lines = lines.unwrap();
        assert_eq!(lines, answer);
        signed = signed.with_cosignatures(&lines).unwrap();
        // Nothing for what it did not sign.
        assert_eq!(world.keys[1].confirmation(&signed, &answer), None);
        assert_eq!(world.keys[0].confirmation(&signed, &gossip), None);
        assert_eq!(world.keys[0].confirmation(&signed, ""), None);
        assert_eq!(
            world.keys[0].confirmation(&signed, &format!("\n\n{answer}")),
            None
        );
    }
    let lines = signed.as_str().lines();
    let of_the_first = lines.filter(|line| line.contains("one.example")).count();
    assert_eq!(of_the_first, 1);
    // The log and the second witness are still there.
    accept(&mut world.client(), &world.log, &signed).unwrap();
}
