//! The trail and the key log, as clients check them.

use crypto::SigningKey;
use crypto::hub::Change;
use crypto::transparency::{Client, Leaf, NoteName, Proof, Subject, Witness, WitnessSigner};
use protocol::{
    AuditHead, AuditPage, AuditVerification, CheckpointAnswer, LeavesPage, ProofAnswer,
};

use crate::town::{NORTE, Norte, SUR};

const NOW_S: u64 = 1_800_000_000;

fn proof(answer: ProofAnswer) -> Proof {
    let hashes = answer
        .hashes
        .into_iter()
        .map(|hash| hash.0.try_into().unwrap());
    Proof::from_hashes(hashes.collect()).unwrap()
}

#[tokio::test]
async fn a_trail_is_verified_by_the_server_and_by_clients() {
    let norte = Norte::new().await;
    norte.vera_writes(1, "text").await;
    let town = &norte.town;
    let path = format!("/hubs/{NORTE}/audit");
    for person in [&norte.vera, &norte.rita, &norte.rolf] {
        town.get(person, &path).await.refused(403);
    }
    let page: AuditPage = town.get(&norte.ada, &path).await.read();
    let mut previous = crypto::audit::GENESIS;
    for (number, entry) in (1..).zip(&page.entries) {
        assert_eq!(entry.seqno, number);
        previous = crypto::audit::entry_hash(&previous, &entry.canonical.0);
        assert_eq!(entry.hash.0, previous);
    }
    let verification = format!("{path}/verification");
    let whole: AuditVerification = town.get(&norte.ada, &verification).await.read();
    assert!(whole.whole);
    assert_eq!(whole.head.unwrap().hash.0, previous);
    let two: AuditPage = town
        .get(&norte.ada, &format!("{path}?after=2&limit=2"))
        .await
        .read();
    let numbers: Vec<u64> = two.entries.iter().map(|entry| entry.seqno).collect();
    assert_eq!(numbers, [3, 4]);
    // A head that was kept elsewhere and is not in the trail.
    let wrong = format!(
        "{verification}?seqno=2&hash={}",
        protocol::Blob(vec![9; 32]).to_text()
    );
    let rewritten: AuditVerification = town.get(&norte.ada, &wrong).await.read();
    assert!(!rewritten.whole);
    assert!(rewritten.fault.unwrap().contains("rewritten"));
}

#[tokio::test]
async fn heads_of_trails_are_published() {
    let norte = Norte::new().await;
    norte.vera_writes(1, "text").await;
    let town = &norte.town;
    let path = format!("/hubs/{NORTE}/audit/head");
    town.send(&norte.vera, "POST", &path, vec![])
        .await
        .refused(403);
    let head: AuditHead = town.send(&norte.ada, "POST", &path, vec![]).await.read();
    town.shared.publish_audit_heads().await.unwrap();
    let page: LeavesPage = town
        .get(&norte.vera, "/transparency/leaves?from=0")
        .await
        .read();
    let leaves = page
        .leaves
        .0
        .chunks(Leaf::BYTES)
        .map(|leaf| Leaf::decode(leaf).unwrap());
    let heads = leaves.filter_map(|leaf| crypto::audit::AuditHead::of_leaf(&leaf));
    let heads: Vec<_> = heads
        .filter(|head| head.chain != crypto::audit::AuditChain::Installation)
        .collect();
    // Published once, though told twice.
    assert_eq!(heads.len(), 1);
    assert_eq!(
        (heads[0].seqno, heads[0].hash.to_vec()),
        (head.seqno, head.hash.0)
    );
}

#[tokio::test]
async fn the_installations_trail_is_for_who_runs_it() {
    let norte = Norte::new().await;
    for path in ["/audit", "/audit/verification"] {
        norte.town.get(&norte.ada, path).await.done();
        norte.town.get(&norte.vera, path).await.refused(403);
    }
    // Who runs the installation reads the trail of every hub, and no records.
    norte
        .town
        .get(&norte.ada, &format!("/hubs/{SUR}/audit"))
        .await
        .done();
    norte
        .town
        .get(&norte.ada, &format!("/hubs/{SUR}/records"))
        .await
        .refused(403);
    norte
        .town
        .get(&norte.ada, &format!("/hubs/{SUR}/calls"))
        .await
        .refused(403);
}

/// The newest checkpoint as the server hands it out, once a witness has confirmed it.
async fn confirmed(norte: &Norte, witness: &mut Witness, old: u64) -> String {
    let shared = &norte.town.shared;
    let request = shared.witness_request(old).await.unwrap();
    let lines = witness.add_checkpoint(&request, NOW_S).unwrap();
    let size = shared
        .checkpoints()
        .borrow()
        .as_ref()
        .unwrap()
        .checkpoint()
        .size;
    shared.add_cosignatures(size, &lines).await.unwrap();
    let path = "/transparency/checkpoint";
    let answer: CheckpointAnswer = norte.town.get(&norte.vera, path).await.read();
    answer.checkpoint.unwrap()
}

#[tokio::test]
async fn a_client_follows_the_log() {
    let mut norte = Norte::new().await;
    let name = NoteName::new("witness.example/one").unwrap();
    let witness = WitnessSigner::new(name, SigningKey::from_seed(&[8; 32]));
    let mut client = Client::new(norte.town.log.clone(), vec![witness.key().clone()], 1).unwrap();
    let mut witness = Witness::new(witness);
    witness.watch(norte.town.log.clone());
    let none = Proof::from_hashes(Vec::new()).unwrap();
    let first = confirmed(&norte, &mut witness, 0).await;
    client.accept(&first, &none, NOW_S, 60).unwrap();
    let old = client.latest().unwrap().size;
    let user = norte.vito.user();
    norte
        .change(vec![Change::RemoveMember { user }])
        .await
        .done();
    let second = confirmed(&norte, &mut witness, old).await;
    let (town, vera) = (&norte.town, &norte.vera);
    let path = format!("/transparency/consistency?old={old}&new={}", old + 1);
    let grown = proof(town.get(vera, &path).await.read());
    client.accept(&second, &grown, NOW_S, 60).unwrap();
    let page: LeavesPage = town
        .get(vera, &format!("/transparency/leaves?from={old}"))
        .await
        .read();
    let leaf = Leaf::decode(&page.leaves.0).unwrap();
    assert_eq!(leaf.subject, Subject::Roster(NORTE));
    let path = format!("/transparency/inclusion?place={old}&size={}", old + 1);
    let included = proof(town.get(vera, &path).await.read());
    client.check_entry(&leaf, old, &included).unwrap();
    let path = "/transparency/inclusion?place=9&size=2";
    town.get(vera, path).await.refused(404);
}
