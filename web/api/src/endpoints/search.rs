//! Search by blind-index tokens.

use std::collections::BTreeSet;

use axum::http::Method;
use protocol::{Id, MAX_FOUND, MAX_TOKENS_PER_SEARCH, SearchAnswer, SearchRequest};
use store::Permissions;

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
    let mut found: Option<BTreeSet<_>> = None;
    for named in &request.tokens {
        let with_word: BTreeSet<_> = scope.search(token(named)).await?.into_iter().collect();
        found = Some(match found {
            None => with_word,
            Some(before) => before.intersection(&with_word).copied().collect(),
        });
    }
    let sight = Sight::of(&call, &scope).await?;
    let limit = usize::try_from(MAX_FOUND).unwrap_or(usize::MAX);
    let mut records = Vec::new();
    for record in found.unwrap_or_default() {
        if !sight.shows_record(&scope, record).await? {
            continue;
        }
        if records.len() == limit {
            return Ok(Json(SearchAnswer {
                records,
                more: true,
            }));
        }
        records.push(Id(record.0));
    }
    Ok(Json(SearchAnswer {
        records,
        more: false,
    }))
}
