//! Search by blind-index tokens.

use axum::http::Method;
use protocol::{Id, IndexToken, MAX_FOUND, MAX_TOKENS_PER_SEARCH, SearchAnswer, SearchRequest};
use store::{Permissions, RecordId, Token, WORDS_PER_QUERY};

use super::record::token;
use crate::call::{Call, Json};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::sight::Sight;

/// What is hidden is passed over, so that the places in the list tell nobody which records have a
/// word that they may not read; after so many times [`MAX_FOUND`] of them, a place is told all the
/// same.
const MAX_QUERIES_PER_SEARCH: u32 = 5;

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
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut place = request.after.map(|after| RecordId(after.0));
    let sight = Sight::of(&call, &scope).await?;
    let mut records = Vec::new();
    for _ in 0..MAX_QUERIES_PER_SEARCH {
        let found = scope
            .search(words(&request.tokens), place, MAX_FOUND)
            .await?;
        let are_all = found.len() < MAX_FOUND as usize;
        for record in found {
            place = Some(record);
            if sight.shows_record(&scope, record).await? {
                records.push(Id(record.0));
            }
            if records.len() == limit {
                let next = place.map(|place| Id(place.0));
                return Ok(Json(SearchAnswer { records, next }));
            }
        }
        if are_all {
            place = None;
            break;
        }
    }
    let next = place.map(|place| Id(place.0));
    Ok(Json(SearchAnswer { records, next }))
}

/// As many words as the store looks for, of at least one.
fn words(named: &[IndexToken]) -> [Token; WORDS_PER_QUERY] {
    const { assert!(MAX_TOKENS_PER_SEARCH <= WORDS_PER_QUERY) };
    std::array::from_fn(|place| token(&named[place % named.len()]))
}
