//! Search by blind-index tokens.

use axum::http::Method;
use protocol::{Id, IndexToken, MAX_FOUND, MAX_TOKENS_PER_SEARCH, SearchAnswer, SearchRequest};
use store::{Permissions, Token, WORDS_PER_QUERY};

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
    let words = words(&request.tokens);
    let sight = Sight::of(&call, &scope).await?;
    let limit = usize::try_from(MAX_FOUND).unwrap_or(usize::MAX);
    let mut records = Vec::new();
    let mut after = None;
    loop {
        let found = scope.search(words, after, MAX_FOUND).await?;
        after = found.last().copied();
        if after.is_none() {
            let more = false;
            return Ok(Json(SearchAnswer { records, more }));
        }
        for record in found {
            if !sight.shows_record(&scope, record).await? {
                continue;
            }
            if records.len() == limit {
                let more = true;
                return Ok(Json(SearchAnswer { records, more }));
            }
            records.push(Id(record.0));
        }
    }
}

/// As many words as the store looks for, of at least one.
fn words(named: &[IndexToken]) -> [Token; WORDS_PER_QUERY] {
    const { assert!(MAX_TOKENS_PER_SEARCH <= WORDS_PER_QUERY) };
    std::array::from_fn(|place| token(&named[place % named.len()]))
}
