//! Search by blind-index tokens.

use axum::http::Method;
use protocol::{Id, IndexToken, MAX_FOUND, MAX_TOKENS_PER_SEARCH, SearchAnswer, SearchRequest};
use store::{Permissions, RecordId, Token, WORDS_PER_QUERY};

use super::record::token;
use crate::call::{Call, Json};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::sight::Sight;

pub(crate) fn routes() -> Routes {
    Routes::default().add(
        Method::POST,
        "/hubs/{hub}/search",
        Access::HubAny(Permissions::WRITE_RECORDS | Permissions::READ_RECORDS),
        "The records that have all of these words, as far as I may see them",
        search,
    )
}

async fn search(
    call: Call,
    Json(request): Json<SearchRequest>,
) -> Result<Json<SearchAnswer>, Refusal> {
    if !(1..=MAX_TOKENS_PER_SEARCH).contains(&request.tokens.len()) {
        return Err(Refusal::malformed("a search has 1 to 8 words"));
    }
    let scope = call.scope().await?;
    let limit = request.limit.unwrap_or(MAX_FOUND).clamp(1, MAX_FOUND);
    let after = request.after.map(|after| RecordId(after.0));
    let found = scope.search(words(&request.tokens), after, limit).await?;
    let next = next_page(&found, limit);
    let sight = Sight::of(&call, &scope).await?;
    let mut records = Vec::new();
    for record in found {
        if sight.shows_record(&scope, record).await? {
            records.push(Id(record.0));
        }
    }
    Ok(Json(SearchAnswer { records, next }))
}

fn next_page(found: &[RecordId], limit: u32) -> Option<Id> {
    let full = found.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    found.last().filter(|_| full).map(|last| Id(last.0))
}

/// As many words as the store looks for, of at least one.
fn words(named: &[IndexToken]) -> [Token; WORDS_PER_QUERY] {
    const { assert!(MAX_TOKENS_PER_SEARCH <= WORDS_PER_QUERY) };
    std::array::from_fn(|place| token(&named[place % named.len()]))
}
