//! Rows and files in one stream, before it is sealed.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use super::Failure;
use super::folder::is_safe_path;

/// What a part is cut into.
pub(super) const PIECE_BYTES: usize = 64 << 10;
/// The longest piece that is read.
const MAX_PIECE_BYTES: u32 = 1 << 20;
const MAX_NAME_BYTES: usize = 512;
const MAGIC: &[u8; 16] = b"centralita pack\n";
const END: u8 = 255;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rows,
    File,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Rows => 1,
            Self::File => 2,
        }
    }
}

pub(super) struct ArchiveWriter<W> {
    sink: W,
    parts: u32,
    bytes: u64,
}

impl<W: Write> ArchiveWriter<W> {
    pub(super) fn begin(mut sink: W) -> io::Result<Self> {
        sink.write_all(MAGIC)?;
        Ok(Self {
            sink,
            parts: 0,
            bytes: 0,
        })
    }

    /// Begins a part; it must be finished before the next.
    pub(super) fn part(&mut self, kind: Kind, name: &str) -> io::Result<PartWriter<'_, W>> {
        self.parts += 1;
        self.sink.write_all(&[kind.code()])?;
        let length = name.len();
        match length {
            0..64 => self.sink.write_all(&[length as u8])?,
            // A safe path is shorter than two bytes can say.
            _ => self
                .sink
                .write_all(&(0x4000 | length as u16).to_be_bytes())?,
        }
        self.sink.write_all(name.as_bytes())?;
        Ok(PartWriter {
            archive: self,
            pending: Vec::with_capacity(PIECE_BYTES),
        })
    }

    /// Bytes of content so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.sink.write_all(&[END])?;
        self.sink.write_all(&self.parts.to_be_bytes())?;
        Ok(self.sink)
    }
}

pub(super) struct PartWriter<'a, W> {
    archive: &'a mut ArchiveWriter<W>,
    pending: Vec<u8>,
}

impl<W: Write> PartWriter<'_, W> {
    fn put(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let length = self.pending.len();
        self.archive.bytes += length as u64;
        self.archive
            .sink
            .write_all(&(length as u32).to_be_bytes())?;
        self.archive.sink.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.put()?;
        self.archive.sink.write_all(&[0; 4])
    }
}

impl<W: Write> Write for PartWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE_BYTES - self.pending.len();
        let taken = bytes.len().min(room);
        self.pending.extend_from_slice(&bytes[..taken]);
        if self.pending.len() == PIECE_BYTES {
            self.put()?;
        }
        Ok(taken)
    }

    /// Pieces are cut at their length alone.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) struct ArchiveReader<R> {
    source: R,
    seen: BTreeSet<String>,
    parts: u32,
    bytes: u64,
    /// What is left of a piece; `None` between parts.
    piece: Option<u32>,
}

impl<R: Read> ArchiveReader<R> {
    pub(super) fn open(source: R) -> Result<Self, Failure> {
        let mut archive = Self {
            source,
            seen: BTreeSet::new(),
            parts: 0,
            bytes: 0,
            piece: None,
        };
        if archive.array::<16>()? != *MAGIC {
            return Err(Failure::Damaged("it holds no archive"));
        }
        Ok(archive)
    }

    /// The next part; `None` after the last one, with nothing behind it. The rows come first,
    /// and once.
    pub(super) fn next(&mut self) -> Result<Option<(Kind, String)>, Failure> {
        if self.piece.is_some() {
            return Err(Failure::Damaged("a part is longer than it says"));
        }
        let [code] = self.array()?;
        if code == END {
            return self.end().map(|()| None);
        }
        let name = self.name()?;
        let kind = match (code, self.parts) {
            (1, 0) if name.is_empty() => Kind::Rows,
            (2, 1..) if is_safe_path(&name) && self.seen.insert(name.clone()) => Kind::File,
            _ => return Err(Failure::Damaged("a part is out of place")),
        };
        self.parts += 1;
        self.piece = Some(0);
        Ok(Some((kind, name)))
    }

    /// The content of the part that [`next`](Self::next) named.
    pub(super) fn content(&mut self) -> PartReader<'_, R> {
        PartReader(self)
    }

    /// Bytes of content so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn end(&mut self) -> Result<(), Failure> {
        if self.parts == 0 || u32::from_be_bytes(self.array()?) != self.parts {
            return Err(Failure::Damaged("parts are missing"));
        }
        match self.source.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(Failure::Damaged("something follows its end")),
            Err(error) => Err(failure(error)),
        }
    }

    fn name(&mut self) -> Result<String, Failure> {
        let [first] = self.array()?;
        let length = match first {
            0..64 => usize::from(first),
            64..128 => {
                let [second] = self.array()?;
                let length = usize::from(u16::from_be_bytes([first, second]) & 0x3fff);
                if length < 64 {
                    return Err(Failure::Damaged("a length is not in its shortest form"));
                }
                length
            }
            128.. => return Err(Failure::Damaged("a name is too long")),
        };
        if length > MAX_NAME_BYTES {
            return Err(Failure::Damaged("a name is too long"));
        }
        let mut name = vec![0; length];
        self.source.read_exact(&mut name).map_err(failure)?;
        String::from_utf8(name).map_err(|_| Failure::Damaged("a name is not UTF-8"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(failure)?;
        Ok(bytes)
    }
}

pub(super) struct PartReader<'a, R>(&'a mut ArchiveReader<R>);

impl<R: Read> Read for PartReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let archive = &mut *self.0;
        let Some(mut left) = archive.piece else {
            return Ok(0);
        };
        if buffer.is_empty() {
            return Ok(0);
        }
        if left == 0 {
            left = u32::from_be_bytes(archive.array()?);
            if left > MAX_PIECE_BYTES {
                return Err(Failure::Damaged("a piece is too long").into());
            }
            if left == 0 {
                archive.piece = None;
                return Ok(0);
            }
            archive.piece = Some(left);
        }
        let room = buffer.len().min(left as usize);
        let read = archive.source.read(&mut buffer[..room])?;
        if read == 0 {
            return Err(Failure::Damaged("it ends within a part").into());
        }
        archive.bytes += read as u64;
        // No more than what was left.
        archive.piece = Some(left - read as u32);
        Ok(read)
    }
}

/// What the stream below says; an early end is damage.
fn failure(error: io::Error) -> Failure {
    match error.downcast::<Failure>() {
        Ok(failure) => failure,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Failure::Damaged("it ends too early")
        }
        Err(error) => Failure::Sealed(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(parts: &[(Kind, &str, &[u8])]) -> Vec<u8> {
        let mut archive = ArchiveWriter::begin(Vec::new()).unwrap();
        for (kind, name, content) in parts {
            let mut part = archive.part(*kind, name).unwrap();
            part.write_all(content).unwrap();
            part.finish().unwrap();
        }
        archive.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(Kind, String, Vec<u8>)>, Failure> {
        let mut archive = ArchiveReader::open(bytes)?;
        let mut parts = Vec::new();
        while let Some((kind, name)) = archive.next()? {
            let mut content = Vec::new();
            archive
                .content()
                .read_to_end(&mut content)
                .map_err(failure)?;
            parts.push((kind, name, content));
        }
        Ok(parts)
    }

    #[test]
    fn parts_of_any_length_come_back() {
        let long = "f/".to_owned() + &"n".repeat(200);
        let lengths = [0, 1, PIECE_BYTES, 2 * PIECE_BYTES + 1];
        for length in lengths {
            let content = vec![7; length];
            let parts = [
                (Kind::Rows, "", &content[..]),
                (Kind::File, "caller-id.key", b"key".as_slice()),
                (Kind::File, &long, &content),
            ];
            let expected: Vec<_> = parts
                .iter()
                .map(|(kind, name, content)| (*kind, (*name).to_owned(), content.to_vec()))
                .collect();
            assert_eq!(read(&packed(&parts)).unwrap(), expected);
        }
    }

    #[test]
    fn what_breaks_the_format_is_refused() {
        let rows = (Kind::Rows, "", b"rows".as_slice());
        let file = |name| (Kind::File, name, b"content".as_slice());
        for parts in [
            vec![],
            vec![file("a")],
            vec![rows, rows],
            vec![rows, file("a"), file("a")],
            vec![rows, file("../a")],
            vec![rows, file("/a")],
            vec![rows, file("a//b")],
            vec![rows, file("a/./b")],
            vec![rows, file("a/b/c/d/e")],
            vec![rows, file("centralita.db")],
            vec![rows, file("centralita.db-wal")],
            vec![rows, file("centralita.lock")],
            vec![rows, file("")],
            vec![rows, file("a\0b")],
        ] {
            let refused = read(&packed(&parts));
            assert!(matches!(refused, Err(Failure::Damaged(_))), "{parts:?}");
        }
        let good = packed(&[rows, file("a")]);
        read(&good).unwrap();
        for end in 0..good.len() {
            assert!(read(&good[..end]).is_err(), "cut at {end}");
        }
        assert!(read(&[&good[..], &[0]].concat()).is_err());
    }
}
