//! The key-transparency log, for clients that pin its key and check it.

use axum::http::Method;
use crypto::transparency::Proof;
use protocol::{
    Blob, CheckpointAnswer, ConsistencyQuery, InclusionQuery, LeavesPage, LeavesQuery,
    MAX_LEAVES_PER_PAGE, ProofAnswer, ServerFacts,
};

use crate::call::{Call, Json, Nothing, Query};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};

pub(crate) fn routes() -> Routes {
    Routes::default()
        .add(
            Method::GET,
            "/server",
            Access::Open,
            "What devices pin of this server, and what it offers",
            server,
        )
        .add(
            Method::GET,
            "/transparency/checkpoint",
            Access::LoggedIn,
            "The newest signed head of the log",
            checkpoint,
        )
        .add(
            Method::GET,
            "/transparency/leaves",
            Access::LoggedIn,
            "Entries of the log",
            leaves,
        )
        .add(
            Method::GET,
            "/transparency/inclusion",
            Access::LoggedIn,
            "The proof that an entry is in the log",
            inclusion,
        )
        .add(
            Method::GET,
            "/transparency/consistency",
            Access::LoggedIn,
            "The proof that the log has only grown",
            consistency,
        )
}

async fn server(call: Call, _: Nothing) -> Result<Json<ServerFacts>, Refusal> {
    let options = &call.shared.options;
    Ok(Json(ServerFacts {
        origin: options.origin.clone(),
        log: call.shared.keylog.key().to_string(),
        witnesses: options.witnesses.clone(),
        ingest: options.ingest.clone(),
        passkeys: call.shared.offers_passkeys(),
    }))
}

async fn checkpoint(call: Call, _: Nothing) -> Result<Json<CheckpointAnswer>, Refusal> {
    let newest = call.shared.keylog.settled(&call.shared.store).await?;
    Ok(Json(CheckpointAnswer {
        checkpoint: newest.map(|newest| newest.as_str().to_owned()),
    }))
}

async fn leaves(call: Call, Query(query): Query<LeavesQuery>) -> Result<Json<LeavesPage>, Refusal> {
    let limit = query.limit.unwrap_or(MAX_LEAVES_PER_PAGE);
    let limit = limit.clamp(1, MAX_LEAVES_PER_PAGE);
    let limit = usize::try_from(limit).map_err(Refusal::internal)?;
    let leaves = call.shared.keylog.leaves(query.from, limit).await;
    let bytes = leaves.iter().flat_map(|leaf| leaf.encode());
    Ok(Json(LeavesPage {
        leaves: Blob(bytes.collect()),
    }))
}

async fn inclusion(
    call: Call,
    Query(query): Query<InclusionQuery>,
) -> Result<Json<ProofAnswer>, Refusal> {
    let proof = call.shared.keylog.prove_inclusion(query.place, query.size);
    answer(proof.await)
}

async fn consistency(
    call: Call,
    Query(query): Query<ConsistencyQuery>,
) -> Result<Json<ProofAnswer>, Refusal> {
    let proof = call.shared.keylog.prove_consistency(query.old, query.new);
    answer(proof.await)
}

fn answer(proof: Option<Proof>) -> Result<Json<ProofAnswer>, Refusal> {
    let proof = proof.ok_or_else(Refusal::not_found)?;
    let hashes = proof.hashes().iter();
    Ok(Json(ProofAnswer {
        hashes: hashes.map(|hash| Blob::from(hash.as_slice())).collect(),
    }))
}
