//! The sealed file as a stream of plain bytes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crypto::backup::{BackupFacts, BackupReader, BackupWriter};
use crypto::{OsEntropy, ReaderPublicKey, ReaderSecretKey};
use zeroize::Zeroizing;

use super::Failure;
use super::folder::{lock, remove_leftover};

/// Seals what is written to it into a new file of its owner.
pub(super) struct SealedSink {
    path: PathBuf,
    file: File,
    writer: BackupWriter,
}

impl SealedSink {
    pub(super) fn create(
        path: &Path,
        facts: &BackupFacts,
        readers: &[ReaderPublicKey],
    ) -> Result<Self, Failure> {
        let (writer, front) = BackupWriter::new(facts, readers, &mut OsEntropy)?;
        remove_leftover(path, |path| fs::remove_file(path))?;
        let create = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let mut file = create.map_err(Failure::file("create", path))?;
        lock(path, &file)?;
        if let Err(error) = file.write_all(&front) {
            let _ = fs::remove_file(path);
            return Err(Failure::file("write", path)(error));
        }
        Ok(Self {
            path: path.to_path_buf(),
            file,
            writer,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the end, and waits until all is on the disk.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        let end = self.writer.finish()?;
        self.file
            .write_all(&end)
            .and_then(|()| self.file.sync_all())
            .map_err(Failure::file("write", &self.path))
    }
}

impl Write for SealedSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sealed = self.writer.push(bytes).map_err(Failure::Sealed)?;
        self.file.write_all(&sealed)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Reads the plain bytes of a sealed file, each only after it was found authentic.
pub(super) struct OpenedSource {
    reader: BackupReader<BufReader<File>>,
    piece: Zeroizing<Vec<u8>>,
    at: usize,
}

impl OpenedSource {
    pub(super) fn open(path: &Path, key: &ReaderSecretKey) -> Result<Self, Failure> {
        let file = File::open(path).map_err(Failure::file("read", path))?;
        Ok(Self {
            reader: BackupReader::open(BufReader::new(file), key)?,
            piece: Zeroizing::default(),
            at: 0,
        })
    }

    pub(super) fn facts(&self) -> &BackupFacts {
        self.reader.facts()
    }
}

impl Read for OpenedSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            match self.reader.next_piece().map_err(Failure::Sealed)? {
                Some(piece) => (self.piece, self.at) = (piece, 0),
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len() - self.at);
        buffer[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
