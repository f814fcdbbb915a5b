//! The panel: the files that a browser loads, which are part of the program.
//!
//! They are built before the program is (`scripts/build-panel`). A program that was built without
//! them says so instead, and serves the API all the same.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::refusal::Refusal;

const PAGE: &str = "index.html";
const MISSING: &str = "This program was built without the panel: run scripts/build-panel and build it again. \
                       The API is served.\n";

/// What the panel may do in a browser. Its scripts, its styles and its workers come from here and
/// nowhere else; nothing that is written into the page runs; and it talks to this server only.
/// `wasm-unsafe-eval` lets WebAssembly be compiled, and no script.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
                      img-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
/// The camera reads the code of a new device. Nothing else of the machine is asked for.
const PERMISSIONS: &str = "camera=(self), microphone=(), geolocation=(), display-capture=()";

/// How the names of packed files end, and what browsers call the packing; the best first.
const PACKED: [(&str, &str); 2] = [("br", "br"), ("gz", "gzip")];

#[derive(RustEmbed)]
#[folder = "../panel/dist"]
#[allow_missing = true]
struct Files;

pub(crate) fn route() -> Router {
    Router::new()
        .route("/", get(page))
        .route("/icon.svg", get(icon))
        .route("/assets/{name}", get(asset))
}

async fn page(headers: HeaderMap) -> Response {
    let Some(mut response) = file(PAGE, &headers) else {
        return (StatusCode::SERVICE_UNAVAILABLE, MISSING).into_response();
    };
    // Names change with what is in a file, except this one's.
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    response
}

async fn icon(headers: HeaderMap) -> Response {
    file("icon.svg", &headers).unwrap_or_else(|| Refusal::not_found().into_response())
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    // A name is no path: a debug build reads from a folder.
    let found = match name.contains(['/', '\\']) {
        true => None,
        false => file(&format!("assets/{name}"), &headers),
    };
    let Some(mut response) = found else {
        return Refusal::not_found().into_response();
    };
    let for_ever = "public, max-age=31536000, immutable";
    set(&mut response, header::CACHE_CONTROL, for_ever);
    response
}

fn file(path: &str, asked: &HeaderMap) -> Option<Response> {
    let kind = kind_of(path)?;
    let (packing, found) = packed(path, asked).or_else(|| Some((None, Files::get(path)?)))?;
    let mut response = found.data.into_owned().into_response();
    set(&mut response, header::CONTENT_TYPE, kind);
    set(&mut response, header::CONTENT_SECURITY_POLICY, POLICY);
    set(&mut response, header::VARY, "accept-encoding");
    let permissions = HeaderName::from_static("permissions-policy");
    set(&mut response, permissions, PERMISSIONS);
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    set(&mut response, opener, "same-origin");
    if let Some(packing) = packing {
        set(&mut response, header::CONTENT_ENCODING, packing);
    }
    Some(response)
}

/// The smallest form that the browser takes. A refusal by weight (`;q=0`) is not looked for: no
/// browser sends one for these.
fn packed(path: &str, asked: &HeaderMap) -> Option<(Option<&'static str>, EmbeddedFile)> {
    let taken = asked.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let takes = |packing: &str| {
        let mut names = taken.split(',').map(|one| one.split(';').next());
        names.any(|name| name.is_some_and(|name| name.trim() == packing))
    };
    let mut forms = PACKED.iter().filter(|(_, packing)| takes(packing));
    forms.find_map(|(ending, packing)| {
        let file = Files::get(&format!("{path}.{ending}"))?;
        Some((Some(*packing), file))
    })
}

/// Of the endings that the panel's files have; other files are not served.
fn kind_of(path: &str) -> Option<&'static str> {
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        _ => return None,
    })
}

fn set(response: &mut Response, name: HeaderName, value: &'static str) {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(encodings: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static(encodings);
        headers.insert(header::ACCEPT_ENCODING, value);
        headers
    }

    #[tokio::test]
    async fn the_page_says_what_it_may_do_or_that_it_is_missing() {
        let response = page(accepting("gzip, br;q=0.9")).await;
        if Files::get(PAGE).is_none() {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            return;
        }
        let headers = response.headers();
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], POLICY);
        assert_eq!(headers[header::CONTENT_ENCODING], "br");
        assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
        let plain = page(HeaderMap::new()).await;
        assert!(plain.headers().get(header::CONTENT_ENCODING).is_none());
        assert_eq!(
            plain.headers()[header::CONTENT_TYPE],
            "text/html; charset=utf-8"
        );
    }

    #[tokio::test]
    async fn nothing_but_the_panel_is_served() {
        for name in ["../index.html", "nothing.js", "index.html.br", "x", ""] {
            let response = asset(Path(name.to_owned()), HeaderMap::new()).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{name}");
        }
    }
}
