//! What callers left, and what is said of their calls.

use crypto::{DeviceId, HubId, RecordId};
use crypto_session::{ServerKey, SignedRecording};
use protocol::{Id, MAX_READ_BYTES, VoicemailList, VoicemailView};

use crate::client::Client;
use crate::failure::Failure;

impl Client {
    /// The messages that the server lists.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn voicemails(&mut self, hub: Id) -> Result<Vec<VoicemailView>, Failure> {
        let mut messages = Vec::new();
        let mut path = format!("/hubs/{hub}/voicemails");
        loop {
            let page: VoicemailList = self.get(&path)?;
            messages.extend(page.messages);
            let Some(next) = page.next else {
                return Ok(messages);
            };
            path = format!("/hubs/{hub}/voicemails?before={next}");
        }
    }

    /// Reports a call as abuse.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn report_call(&mut self, hub: Id, call: u64) -> Result<(), Failure> {
        let path = format!("/hubs/{hub}/calls/{call}/report");
        self.ask("POST", &path, &[])?.bytes()?;
        Ok(())
    }

    /// Says that a message was heard.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn heard(&mut self, hub: Id, recording: u64) -> Result<(), Failure> {
        let path = format!("/hubs/{hub}/voicemails/{recording}/heard");
        self.ask("POST", &path, &[])?.bytes()?;
        Ok(())
    }

    /// The sealed file of a message.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn sealed_voicemail(&mut self, hub: Id, recording: u64) -> Result<Vec<u8>, Failure> {
        let mut file = Vec::new();
        loop {
            let from = file.len();
            let path = format!(
                "/hubs/{hub}/voicemails/{recording}/bytes?from={from}&length={MAX_READ_BYTES}"
            );
            let piece = self.ask("GET", &path, &[])?.bytes()?;
            if piece.is_empty() {
                return Ok(file);
            }
            file.extend(piece);
        }
    }

    /// The sound of a message: s16le, one channel; and its rate in Hz. The server must have
    /// signed it.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn hear(&mut self, hub: Id, recording: u64) -> Result<(Vec<u8>, u32), Failure> {
        let file = self.sealed_voicemail(hub, recording)?;
        let mut listed = self.voicemails(hub)?.into_iter();
        let listed = listed.find(|message| message.recording == recording);
        let header = listed.and_then(|message| message.header);
        let unsigned = || Failure::Contradiction("a message that nobody signed".to_owned());
        let header = header.ok_or_else(unsigned)?;
        let pinned = &self.device.server.ingest;
        let signed = SignedRecording {
            header: &header.0,
            hub: HubId::from_bytes(hub.0),
            record: RecordId::from_bytes(u128::from(recording).to_be_bytes()),
            server: ServerKey::new(DeviceId::from_bytes(pinned.id.0), &pinned.key.0)?,
        };
        let mut opened = self.line.session.open_voicemail(file, Some(signed))?;
        let mut sound = Vec::new();
        for chunk in 0..opened.chunk_count() {
            sound.extend_from_slice(&opened.chunk(chunk)?);
        }
        Ok((sound, opened.meta().sample_rate_hz))
    }
}
