//! Prints the description of the API (see `scripts/generate-api`).

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(web_api::openapi_json().as_bytes())
}
