//! One request on its way to its handler, and the forms of what goes in and out.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use protocol::Id;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{
    AuditChain, AuditEntry, AuditKind, AuditSubject, DeviceId, HubId, HubRow, Permissions, Scoped,
    SecretHash, SessionId, UserId,
};
use utoipa::ToSchema;

use crate::refusal::Refusal;
use crate::shared::{Shared, unix_ms};

/// The person behind a request that passed the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub user: UserId,
    /// With which device.
    pub device: DeviceId,
    /// In which session.
    pub session: SessionId,
    /// Whether the device is locked, and only looks.
    pub locked: bool,
    /// What the server keeps of the token.
    pub token: SecretHash,
    /// Whether they run the installation.
    pub super_admin: bool,
}

/// One request on its way to its handler.
pub struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) now: Timestamp,
    /// From where.
    pub(crate) peer: IpAddr,
    /// `None` on open routes only.
    pub(crate) caller: Option<Caller>,
    /// The hub of the path and what the caller may do there, on routes of a hub.
    pub(crate) hub: Option<(HubRow, Permissions)>,
    pub(crate) path: Vec<(String, String)>,
}

impl Call {
    pub(crate) fn caller(&self) -> Result<&Caller, Refusal> {
        self.caller.as_ref().ok_or_else(Refusal::login_needed)
    }

    pub(crate) fn hub(&self) -> Result<&HubRow, Refusal> {
        let (hub, _) = self.hub.as_ref().ok_or_else(Refusal::not_found)?;
        Ok(hub)
    }

    pub(crate) fn permissions(&self) -> Permissions {
        self.hub
            .as_ref()
            .map_or(Permissions::NONE, |(_, permissions)| *permissions)
    }

    /// The caller's view of the path's hub, for its queries.
    pub(crate) async fn scope(&self) -> Result<Scoped<'_>, Refusal> {
        let hub: HubId = self.hub()?.id;
        Ok(self.shared.store.scope(self.caller()?.user, hub).await?)
    }

    /// A part of the path, such as `{record}`.
    pub(crate) fn part<T: FromStr>(&self, name: &str) -> Result<T, Refusal> {
        let text = self.path.iter().find(|(key, _)| key == name);
        text.and_then(|(_, text)| text.parse().ok())
            .ok_or_else(Refusal::not_found)
    }

    pub(crate) fn id(&self, name: &str) -> Result<[u8; 16], Refusal> {
        self.part::<Id>(name).map(|id| id.0)
    }

    /// That the caller did this, for the trail of the installation.
    pub(crate) fn noted(
        &self,
        kind: AuditKind,
        subject: AuditSubject,
    ) -> Result<AuditEntry, Refusal> {
        Ok(self.noted_of(self.caller()?.user, kind, subject))
    }

    /// That the caller did this, for the trail of the path's hub.
    pub(crate) fn noted_in_hub(
        &self,
        kind: AuditKind,
        subject: AuditSubject,
    ) -> Result<AuditEntry, Refusal> {
        Ok(AuditEntry {
            chain: AuditChain::Hub(self.hub()?.id),
            ..self.noted(kind, subject)?
        })
    }

    /// That `actor`, who is just coming in, did this, for the trail of the installation.
    pub(crate) fn noted_of(
        &self,
        actor: UserId,
        kind: AuditKind,
        subject: AuditSubject,
    ) -> AuditEntry {
        AuditEntry {
            actor: Some(actor),
            ..self.noted_by_nobody(kind, subject)
        }
    }

    /// That a stranger did this, for the trail of the installation.
    pub(crate) fn noted_by_nobody(&self, kind: AuditKind, subject: AuditSubject) -> AuditEntry {
        AuditEntry {
            chain: AuditChain::Installation,
            at: self.now,
            kind,
            actor: None,
            subject,
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        unix_ms(self.now)
    }
}

/// A schema and those that it refers to, by name.
pub(crate) type Schemas = Vec<(
    String,
    utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>,
)>;

/// How a body is described.
pub(crate) enum Form {
    Nothing,
    /// JSON of the schema of this name.
    Json(String, Schemas),
    /// A query string with the fields of the schema of this name.
    Query(String, Schemas),
    Bytes,
}

/// What a handler takes.
pub(crate) trait Input: Sized + Send + 'static {
    fn form() -> Form;
    fn read(query: Option<&str>, body: Bytes) -> Result<Self, Refusal>;
}

/// What a handler gives.
pub(crate) trait Output: Send + 'static {
    fn form() -> Form;
    fn answer(self) -> Result<Response, Refusal>;
}

/// No body, and no query.
#[derive(Debug)]
pub(crate) struct Nothing;

/// A body in JSON.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// Values of the query string; no body.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// A body of bytes.
pub(crate) struct Raw(pub(crate) Bytes);

impl Input for Nothing {
    fn form() -> Form {
        Form::Nothing
    }

    fn read(_: Option<&str>, body: Bytes) -> Result<Self, Refusal> {
        match body.is_empty() {
            true => Ok(Self),
            false => Err(Refusal::malformed("this path takes no body")),
        }
    }
}

impl<T: DeserializeOwned + ToSchema + Send + 'static> Input for Json<T> {
    fn form() -> Form {
        Form::Json(T::name().into_owned(), schemas::<T>())
    }

    fn read(_: Option<&str>, body: Bytes) -> Result<Self, Refusal> {
        // The library's message names the field and the place, and quotes nothing secret: what
        // it quotes is what the caller sent.
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(Refusal::malformed)
    }
}

impl<T: DeserializeOwned + ToSchema + Send + 'static> Input for Query<T> {
    fn form() -> Form {
        Form::Query(T::name().into_owned(), schemas::<T>())
    }

    fn read(query: Option<&str>, body: Bytes) -> Result<Self, Refusal> {
        if !body.is_empty() {
            return Err(Refusal::malformed("this path takes no body"));
        }
        let uri = format!("/?{}", query.unwrap_or_default());
        let uri = uri.parse().map_err(Refusal::malformed)?;
        axum::extract::Query::try_from_uri(&uri)
            .map(|axum::extract::Query(values)| Self(values))
            .map_err(|error| Refusal::malformed(error.body_text()))
    }
}

impl Input for Raw {
    fn form() -> Form {
        Form::Bytes
    }

    fn read(_: Option<&str>, body: Bytes) -> Result<Self, Refusal> {
        Ok(Self(body))
    }
}

impl Output for Nothing {
    fn form() -> Form {
        Form::Nothing
    }

    fn answer(self) -> Result<Response, Refusal> {
        Ok(StatusCode::NO_CONTENT.into_response())
    }
}

impl<T: Serialize + ToSchema + Send + 'static> Output for Json<T> {
    fn form() -> Form {
        Form::Json(T::name().into_owned(), schemas::<T>())
    }

    fn answer(self) -> Result<Response, Refusal> {
        let body = serde_json::to_vec(&self.0).map_err(Refusal::internal)?;
        Ok(typed(body.into(), "application/json"))
    }
}

impl Output for Raw {
    fn form() -> Form {
        Form::Bytes
    }

    fn answer(self) -> Result<Response, Refusal> {
        Ok(typed(self.0, "application/octet-stream"))
    }
}

fn typed(body: Bytes, kind: &'static str) -> Response {
    let mut response = body.into_response();
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(crate) fn schemas<T: ToSchema>() -> Schemas {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}
