//! The table of routes: the one place that says what exists and who may use it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use protocol::{API_ROOT, Code, FeedLogin, NoteText, Notice, Problem};
use store::Permissions;
use utoipa::openapi::path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{Components, Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, HttpMethod, Info, License, OpenApi, Paths, Ref, RefOr, Required, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::call::{Call, Form, Input, Output, schemas};
use crate::gate::{self, Passed, Terms};
use crate::listen::Connection;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// The longest body that a route takes unless it says otherwise.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;
const SECURITY_SCHEME: &str = "device";

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody; its handler asks for a proof of its own.
    Open,
    /// Whoever has the refresh token of a session, spent ones included, and its device's key.
    Refresh,
    /// Whoever is logged in; its handler answers about themselves only.
    LoggedIn,
    /// Who runs the installation.
    SuperAdmin,
    /// Who has these permissions in the hub of the path.
    Hub(Permissions),
    /// Who has any of these permissions in the hub of the path.
    HubAny(Permissions),
    /// Whoever belongs to the hub of the path, in whatever role.
    Member,
}

/// A route, for tests and listings.
#[derive(Clone, Debug)]
pub struct RouteFacts {
    /// Its method.
    pub method: Method,
    /// Its path, from the root, with `{names}`.
    pub path: String,
    /// Who may use it.
    pub access: Access,
    /// Whether a locked device may, too.
    pub locked: bool,
}

type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

struct Route {
    method: Method,
    path: String,
    terms: Terms,
    summary: &'static str,
    takes: Form,
    gives: Form,
    serve: Arc<dyn Fn(Arc<Shared>, RawPathParams, Request) -> Answer + Send + Sync>,
}

/// Routes as they are collected.
#[derive(Default)]
pub(crate) struct Routes(Vec<Route>);

impl Routes {
    /// Adds a route at `path` below the root of the API. `summary` is for the description.
    pub(crate) fn add<I, O, H, F>(
        self,
        method: Method,
        path: &str,
        access: Access,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        I: Input,
        O: Output,
        H: Fn(Call, I) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<O, Refusal>> + Send + 'static,
    {
        self.add_large(MAX_BODY_BYTES, method, path, access, summary, handler)
    }

    /// As [`Routes::add`], for what a locked device may ask, too: nothing that is secret, and
    /// nothing that changes more than the login itself.
    pub(crate) fn add_for_locked<I, O, H, F>(
        self,
        method: Method,
        path: &str,
        access: Access,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        I: Input,
        O: Output,
        H: Fn(Call, I) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<O, Refusal>> + Send + 'static,
    {
        let terms = Terms {
            access,
            max_body_bytes: MAX_BODY_BYTES,
            locked: true,
        };
        self.push(terms, method, path, summary, handler)
    }

    /// As [`Routes::add`], for bodies of up to `max_body_bytes`.
    pub(crate) fn add_large<I, O, H, F>(
        self,
        max_body_bytes: usize,
        method: Method,
        path: &str,
        access: Access,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        I: Input,
        O: Output,
        H: Fn(Call, I) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<O, Refusal>> + Send + 'static,
    {
        let terms = Terms {
            access,
            max_body_bytes,
            locked: false,
        };
        self.push(terms, method, path, summary, handler)
    }

    fn push<I, O, H, F>(
        mut self,
        mut terms: Terms,
        method: Method,
        path: &str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        I: Input,
        O: Output,
        H: Fn(Call, I) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<O, Refusal>> + Send + 'static,
    {
        let takes = I::form();
        if let Form::Nothing | Form::Query(..) = takes {
            terms.max_body_bytes = 0;
        }
        let serve = move |shared: Arc<Shared>, path: RawPathParams, request: Request| {
            let handler = handler.clone();
            let held = request.extensions().get::<Connection>().cloned();
            let served = async move {
                // The place of whoever goes away meanwhile is free when their request is done.
                let _held = held;
                let query = request.uri().query().map(str::to_owned);
                // The room is held for as long as what was in the body is.
                let Passed {
                    call,
                    body,
                    room: _room,
                } = gate::pass(shared, terms, &path, request).await?;
                let input = I::read(query.as_deref(), body)?;
                handler(call, input).await?.answer()
            };
            let answer: Answer = Box::pin(to_its_end(served));
            answer
        };
        self.0.push(Route {
            method,
            path: format!("{API_ROOT}{path}"),
            terms,
            summary,
            takes,
            gives: O::form(),
            serve: Arc::new(serve),
        });
        self
    }

    /// All of both.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn facts(&self) -> Vec<RouteFacts> {
        let facts = |route: &Route| RouteFacts {
            method: route.method.clone(),
            path: route.path.clone(),
            access: route.terms.access,
            locked: route.terms.locked,
        };
        self.0.iter().map(facts).collect()
    }

    pub(crate) fn into_router(self, shared: Arc<Shared>) -> Router {
        let mut by_path: BTreeMap<String, MethodRouter> = BTreeMap::new();
        for route in self.0 {
            let filter = MethodFilter::try_from(route.method)
                .expect("the table uses the methods that axum knows");
            let shared = Arc::clone(&shared);
            let methods = by_path.remove(&route.path).unwrap_or_default();
            let serve = route.serve;
            let handler = move |path: RawPathParams, request: Request| {
                serve(Arc::clone(&shared), path, request)
            };
            by_path.insert(route.path, methods.on(filter, handler));
        }
        let mut router = Router::new();
        for (path, methods) in by_path {
            let no_such_method =
                async || Refusal::new(Code::NoSuchMethod, "this path does not know this method");
            router = router.route(&path, methods.fallback(no_such_method));
        }
        router.fallback(async || Refusal::not_found())
    }

    pub(crate) fn openapi_json(&self) -> String {
        let mut components = Components::new();
        let problem = Problem::name().into_owned();
        components.schemas.insert(problem, Problem::schema());
        let mut problems = Vec::new();
        Problem::schemas(&mut problems);
        components.schemas.extend(problems);
        // What is said over the feed, which is not in the table.
        components.schemas.extend(schemas::<FeedLogin>());
        components.schemas.extend(schemas::<NoteText>());
        components.schemas.extend(schemas::<Notice>());
        let mut paths = Paths::new();
        for route in &self.0 {
            for form in [&route.takes, &route.gives] {
                if let Form::Json(_, schemas) | Form::Query(_, schemas) = form {
                    components.schemas.extend(schemas.iter().cloned());
                }
            }
            let method = http_method(&route.method);
            paths.add_path_operation(&route.path, vec![method], describe(route, &components));
        }
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An access token, together with the header `centralita-proof`",
            ));
        let scheme = SecurityScheme::Http(bearer.build());
        components.add_security_scheme(SECURITY_SCHEME, scheme);
        let mut info = Info::new("Centralita", "1");
        info.license = Some(License::new("AGPL-3.0-or-later"));
        let mut api = OpenApi::new(info, paths);
        api.components = Some(components);
        let mut text = api.to_pretty_json().expect("a description is JSON");
        text.push('\n');
        text
    }
}

/// Serves in a task of its own. What a client begins is done although the client goes away: with
/// what follows a commit, those who must hear of it would be lost.
async fn to_its_end(
    served: impl Future<Output = Result<Response, Refusal>> + Send + 'static,
) -> Response {
    let served = tokio::spawn(served).await;
    let served = served.unwrap_or_else(|error| Err(Refusal::internal(error)));
    served.unwrap_or_else(IntoResponse::into_response)
}

fn http_method(method: &Method) -> HttpMethod {
    match *method {
        Method::GET => HttpMethod::Get,
        Method::PUT => HttpMethod::Put,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Post,
    }
}

fn describe(route: &Route, components: &Components) -> Operation {
    let mut operation = OperationBuilder::new()
        .summary(Some(route.summary))
        .description(Some(format!(
            "Who may: {:?}{}. {}.",
            route.terms.access,
            if route.terms.locked {
                ", also from a locked device"
            } else {
                ""
            },
            match route.terms.max_body_bytes {
                0 => "No body".to_owned(),
                bytes => format!("At most {bytes} bytes"),
            }
        )));
    for name in names(&route.path) {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(text()));
        operation = operation.parameter(parameter);
    }
    operation = match &route.takes {
        Form::Nothing => operation,
        Form::Json(name, _) => operation.request_body(Some(
            RequestBodyBuilder::new()
                .required(Some(Required::True))
                .content(
                    "application/json",
                    Content::new(Some(Ref::from_schema_name(name))),
                )
                .build(),
        )),
        Form::Bytes => operation.request_body(Some(
            RequestBodyBuilder::new()
                .required(Some(Required::True))
                .content("application/octet-stream", Content::new(Some(text())))
                .build(),
        )),
        Form::Query(name, _) => query(operation, components.schemas.get(name)),
    };
    if route.terms.access != Access::Open {
        let no_scopes: [&str; 0] = [];
        operation = operation.security(SecurityRequirement::new(SECURITY_SCHEME, no_scopes));
    }
    let done = match &route.gives {
        Form::Json(name, _) | Form::Query(name, _) => {
            ResponseBuilder::new().description("Done").content(
                "application/json",
                Content::new(Some(Ref::from_schema_name(name))),
            )
        }
        Form::Bytes => ResponseBuilder::new()
            .description("Done")
            .content("application/octet-stream", Content::new(Some(text()))),
        Form::Nothing => ResponseBuilder::new().description("Done"),
    };
    let status = match &route.gives {
        Form::Nothing => "204",
        _ => "200",
    };
    let refused = ResponseBuilder::new().description("Refused").content(
        "application/problem+json",
        Content::new(Some(Ref::from_schema_name(Problem::name()))),
    );
    operation
        .response(status, done)
        .response("default", refused)
        .build()
}

/// The fields of a query's schema as parameters.
fn query(mut operation: OperationBuilder, schema: Option<&RefOr<Schema>>) -> OperationBuilder {
    let Some(RefOr::T(Schema::Object(object))) = schema else {
        return operation;
    };
    for (name, schema) in &object.properties {
        let required = match object.required.contains(name) {
            true => Required::True,
            false => Required::False,
        };
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Query)
            .required(required)
            .schema(Some(schema.clone()));
        operation = operation.parameter(parameter);
    }
    operation
}

fn text() -> Object {
    ObjectBuilder::new().schema_type(Type::String).build()
}

/// The `{names}` of a path.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mistake_of_a_handler_is_answered() {
        let answer = to_its_end(async { panic!("a mistake") }).await;
        assert_eq!(answer.status(), 500);
        let refused = to_its_end(async { Err(Refusal::not_found()) }).await;
        assert_eq!(refused.status(), 404);
    }
}
