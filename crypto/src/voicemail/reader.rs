//! Opening a recording, or as much of it as there is.

use std::fmt;
use std::io::{Read, Seek, SeekFrom};

use zeroize::Zeroizing;

use super::format::{Front, MAX_FRONT_BYTES, VoicemailMeta, body_context, wrap_info};
use crate::cobblestone::{CHUNK_BYTES, ChunkOpener, SEALED_CHUNK_BYTES};
use crate::error::Error;
use crate::reader_key::ReaderSecretKey;

/// An opened recording.
///
/// Its length is taken when it is opened; a recording that is still being
/// written opens as truncated and does not grow.
pub struct VoicemailReader<R> {
    source: R,
    meta: VoicemailMeta,
    opener: ChunkOpener,
    /// Offset of the first chunk.
    body_at: u64,
    whole_chunks: u64,
    /// The sound of the last, short chunk; `None` when the recording has no
    /// authentic end.
    last: Option<Zeroizing<Vec<u8>>>,
}

impl<R: Read + Seek> VoicemailReader<R> {
    /// Opens the recording that starts at the source's first byte.
    ///
    /// The end is examined here: when it is missing, or is not authentic, the
    /// recording counts as truncated ([`VoicemailReader::is_complete`]). An
    /// altered end cannot be told from one that was half written, so it is
    /// reported alike, and its sound is never returned. Chunks before the end
    /// are examined when they are read.
    ///
    /// # Errors
    /// [`Error::NotVoicemail`], [`Error::UnknownVersion`],
    /// [`Error::UnknownSuite`], [`Error::HeaderTruncated`],
    /// [`Error::HeaderMalformed`], [`Error::NotARecipient`],
    /// [`Error::WrapRefused`], [`Error::BodyMismatch`], or [`Error::Io`].
    pub fn open(mut source: R, key: &ReaderSecretKey) -> Result<Self, Error> {
        let length = source.seek(SeekFrom::End(0))?;
        source.rewind()?;
        let mut start = Vec::with_capacity(MAX_FRONT_BYTES);
        source
            .by_ref()
            .take(MAX_FRONT_BYTES as u64)
            .read_to_end(&mut start)?;
        let front = Front::parse(&start)?;
        let opener = open_body(&front, key)?;
        let body_at = front.bytes as u64;
        let body_bytes = length.saturating_sub(body_at);
        let mut reader = Self {
            source,
            meta: front.meta,
            opener,
            body_at,
            whole_chunks: body_bytes / SEALED_CHUNK_BYTES as u64,
            last: None,
        };
        reader.last = reader.open_end((body_bytes % SEALED_CHUNK_BYTES as u64) as usize)?;
        Ok(reader)
    }

    /// The facts of the recording.
    pub fn meta(&self) -> &VoicemailMeta {
        &self.meta
    }

    /// Whether the recording has its authentic end. When not, up to a chunk of
    /// sound was lost with the end, or more if somebody cut the file.
    pub fn is_complete(&self) -> bool {
        self.last.is_some()
    }

    /// Chunks that can be read; each but the last holds 16 KiB of sound.
    pub fn chunk_count(&self) -> u64 {
        self.whole_chunks + u64::from(!self.last_sound().is_empty())
    }

    /// Bytes of sound that can be read.
    pub fn pcm_bytes(&self) -> u64 {
        self.whole_chunks * CHUNK_BYTES as u64 + self.last_sound().len() as u64
    }

    /// The sound of chunk `index`, which starts at byte `index * 16384` of the
    /// whole. Chunks may be read in any order.
    ///
    /// # Errors
    /// [`Error::NoSuchChunk`], [`Error::ChunkCorrupt`] or [`Error::Io`]. Other
    /// chunks stay readable.
    pub fn read_chunk(&mut self, index: u64) -> Result<Zeroizing<Vec<u8>>, Error> {
        if index < self.whole_chunks {
            let sealed = self.sealed(index, SEALED_CHUNK_BYTES)?;
            return self.opener.open_whole(index, &sealed);
        }
        match self.last_sound() {
            sound if index == self.whole_chunks && !sound.is_empty() => {
                Ok(Zeroizing::new(sound.to_vec()))
            }
            _ => Err(Error::NoSuchChunk { index }),
        }
    }

    /// The sound from the beginning, chunk by chunk; ends after an error.
    pub fn chunks(&mut self) -> Chunks<'_, R> {
        Chunks {
            reader: self,
            next: 0,
        }
    }

    /// Tries the bytes after the whole chunks as the recording's end.
    fn open_end(&mut self, bytes: usize) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let sealed = self.sealed(self.whole_chunks, bytes)?;
        match self.opener.open_last(self.whole_chunks, &sealed) {
            Ok(sound) => Ok(Some(sound)),
            Err(Error::BodyTruncated | Error::ChunkCorrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn sealed(&mut self, index: u64, bytes: usize) -> Result<Vec<u8>, Error> {
        let offset = self.body_at + index * SEALED_CHUNK_BYTES as u64;
        self.source.seek(SeekFrom::Start(offset))?;
        let mut sealed = vec![0; bytes];
        self.source.read_exact(&mut sealed)?;
        Ok(sealed)
    }

    fn last_sound(&self) -> &[u8] {
        self.last.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl<R> fmt::Debug for VoicemailReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VoicemailReader")
            .field("meta", &self.meta)
            .field("whole_chunks", &self.whole_chunks)
            .field("complete", &self.last.is_some())
            .finish_non_exhaustive()
    }
}

/// The sound of a recording in order, from [`VoicemailReader::chunks`]. To wipe
/// what it gives is the caller's part.
#[derive(Debug)]
pub struct Chunks<'a, R> {
    reader: &'a mut VoicemailReader<R>,
    next: u64,
}

impl<R: Read + Seek> Iterator for Chunks<'_, R> {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.reader.chunk_count() {
            return None;
        }
        let sound = self.reader.read_chunk(self.next);
        self.next = match sound {
            Ok(_) => self.next + 1,
            Err(_) => u64::MAX,
        };
        // Moved out whole, so that the caller has the only copy.
        Some(sound.map(|mut sound| std::mem::take(&mut *sound)))
    }
}

fn open_body(front: &Front, key: &ReaderSecretKey) -> Result<ChunkOpener, Error> {
    let reader = key.public_key().id();
    let wrap = front.wraps.iter().find(|wrap| wrap.reader == reader);
    let wrap = wrap.ok_or(Error::NotARecipient)?;
    let content_key = key.open_key(&wrap_info(&front.header, reader), &wrap.sealed)?;
    ChunkOpener::new(
        &content_key,
        &body_context(&front.header),
        &front.body_prefix,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;
    use crate::cobblestone::{ContentKey, Encryptor};
    use crate::voicemail::format::{Wrap, header, push_wraps};

    /// Another reader knows the content key and can wrap it anew, but not under
    /// other facts: the body itself is bound to them.
    #[test]
    fn a_fellow_reader_cannot_put_a_body_under_another_header() {
        let key = ReaderSecretKey::generate().unwrap();
        let reader = key.public_key().id();
        let content_key = ContentKey::generate(&mut OsEntropy).unwrap();
        let meta = |created_at_ms| VoicemailMeta {
            hub: "night-line".into(),
            recording: "01HXYZ".into(),
            created_at_ms,
            sample_rate_hz: 16_000,
        };
        let recorded = header(&meta(1)).unwrap();
        let context = body_context(&recorded);
        let (body, prefix) = Encryptor::new(&content_key, &context, &mut OsEntropy).unwrap();
        let end = body.finish().unwrap();
        let open_under = |head: Vec<u8>| {
            let info = wrap_info(&head, reader);
            let sealed = key
                .public_key()
                .seal_key(&info, &content_key, &mut OsEntropy);
            let mut file = head;
            let wrap = Wrap {
                reader,
                sealed: sealed.unwrap(),
            };
            push_wraps(&mut file, &[wrap]);
            file.extend_from_slice(&prefix);
            file.extend_from_slice(&end);
            VoicemailReader::open(std::io::Cursor::new(file), &key)
        };
        assert!(open_under(recorded.clone()).unwrap().is_complete());
        let moved = open_under(header(&meta(2)).unwrap());
        assert!(matches!(moved, Err(Error::BodyMismatch)));
    }
}
