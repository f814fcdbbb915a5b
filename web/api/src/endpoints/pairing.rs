//! Two devices of a person meet: what one says is passed on to the other, unread.

use axum::http::Method;
use crypto::provisioning::RoomPass;
use protocol::{Blob, Id, RoomEntry, RoomHeard, RoomMessage, RoomReading};

use crate::call::{Call, Json, Nothing};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};

pub(crate) fn routes() -> Routes {
    Routes::default()
        .add(
            Method::POST,
            "/pairing/{room}",
            Access::Open,
            "Open a room, as the new device",
            open,
        )
        .add(
            Method::POST,
            "/pairing/{room}/join",
            Access::LoggedIn,
            "Join a room, as the device that lets the new one in",
            join,
        )
        .add(
            Method::POST,
            "/pairing/{room}/messages",
            Access::Open,
            "Say something to the other device",
            post,
        )
        .add(
            Method::POST,
            "/pairing/{room}/heard",
            Access::Open,
            "Wait for what the other device says",
            read,
        )
}

async fn open(call: Call, Json(entry): Json<RoomEntry>) -> Result<Nothing, Refusal> {
    let (room, pass) = (call.id("room")?, pass(&entry.pass)?);
    call.shared
        .rooms
        .open(room, pass, call.peer, call.now_ms())?;
    Ok(Nothing)
}

async fn join(call: Call, Json(entry): Json<RoomEntry>) -> Result<Nothing, Refusal> {
    let (room, pass) = (call.id("room")?, pass(&entry.pass)?);
    let person = call.caller()?.user;
    call.shared.rooms.join(room, pass, person, call.now_ms())?;
    Ok(Nothing)
}

async fn post(call: Call, Json(said): Json<RoomMessage>) -> Result<Nothing, Refusal> {
    let (room, pass) = (call.id("room")?, pass(&said.pass)?);
    let message = said.message.0;
    call.shared
        .rooms
        .post(room, &pass, message, call.now_ms())?;
    Ok(Nothing)
}

async fn read(call: Call, Json(asked): Json<RoomReading>) -> Result<Json<RoomHeard>, Refusal> {
    let (room, pass) = (call.id("room")?, pass(&asked.pass)?);
    let place = usize::from(asked.place);
    let heard = call.shared.rooms.read(room, &pass, place, call.now_ms());
    let heard = heard.await?;
    Ok(Json(RoomHeard {
        message: heard.message.map(Blob),
        person: heard.person.map(|person| Id(person.0)),
    }))
}

fn pass(blob: &Blob) -> Result<RoomPass, Refusal> {
    let bytes = blob.0.as_slice().try_into();
    let bytes = bytes.map_err(|_| Refusal::malformed("a pass has 16 bytes"))?;
    Ok(RoomPass::from_bytes(bytes))
}
