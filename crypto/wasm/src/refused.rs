//! Failures as JavaScript sees them.

use crypto_session::Refusal;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// JavaScript's own `Error`.
    #[wasm_bindgen(js_name = Error)]
    type JsError;

    #[wasm_bindgen(constructor, js_class = "Error")]
    fn new(message: &str) -> JsError;

    #[wasm_bindgen(method, setter)]
    fn set_code(this: &JsError, code: &str);
}

/// A [`Refusal`], thrown as an `Error` with a `code`.
#[derive(Debug)]
pub struct Thrown(Refusal);

impl From<Refusal> for Thrown {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<Thrown> for JsValue {
    fn from(Thrown(refusal): Thrown) -> Self {
        let error = JsError::new(refusal.sentence());
        error.set_code(refusal.code().name());
        error.into()
    }
}

/// For errors of the crate `crypto`.
pub(crate) fn from(error: impl Into<Refusal>) -> Thrown {
    Thrown(error.into())
}
