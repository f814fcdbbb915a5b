//! The data folder: which of its files a backup holds, and how they get there again.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::database::{ADDRESS_FILE, STAGING};

/// The database's own files are not copied: their rows are. Where it is, is another matter once it
/// is taken in.
const DATABASE: &str = "centralita.db";
const LOCK: &str = "centralita.lock";
/// Made again from the hotline file.
const PROMPTS: &str = "prompts";
/// Unfinished files.
const UNFINISHED: [&str; 2] = [".part", ".tmp"];
const MAX_DEPTH: usize = 4;
const MAX_PATH_BYTES: usize = 512;
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Some file systems have it at their top.
const LOST_AND_FOUND: &str = "lost+found";

/// Whether a path of a backup leads into the data folder, and to nothing that this program puts
/// there itself.
pub(super) fn is_safe_path(path: &str) -> bool {
    let mut names = path.split('/');
    let taken = [DATABASE, ADDRESS_FILE, LOCK, STAGING];
    path.len() <= MAX_PATH_BYTES
        && names.clone().count() <= MAX_DEPTH
        && names.all(|name| !matches!(name, "" | "." | "..") && !name.contains('\0'))
        && !taken.iter().any(|taken| path.starts_with(taken))
}

/// The files of the data folder that a backup holds, in order.
pub(super) fn files(data: &Path) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    walk(data, "", 1, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) -> Result<(), Failure> {
    let entries = match fs::read_dir(folder) {
        // A database server's data folder may not be there yet; one below may just be gone.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(Failure::file("list", folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(Failure::file("list", folder))?;
        let name = entry.file_name().into_string().map_err(|_| {
            let reason = io::Error::other("a name in it is not UTF-8");
            Failure::file("list", folder)(reason)
        })?;
        let path = format!("{prefix}{name}");
        if !belongs(&path) {
            continue;
        }
        // Through links: messages may lie on another disk.
        let metadata = match fs::metadata(entry.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata.map_err(Failure::file("read", &entry.path()))?,
        };
        if metadata.is_dir() && depth < MAX_DEPTH {
            walk(&entry.path(), &format!("{path}/"), depth + 1, found)?;
        } else if metadata.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

fn belongs(path: &str) -> bool {
    let left_out = [PROMPTS, LOST_AND_FOUND].contains(&path);
    is_safe_path(path) && !left_out && !UNFINISHED.iter().any(|ending| path.ends_with(ending))
}

/// Opens a file; `None` when it was deleted meanwhile.
pub(super) fn open(path: &Path) -> Result<Option<File>, Failure> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("read", path)(error)),
    }
}

/// Refuses a file within the data folder.
pub(super) fn outside(file: &Path, data: &Path) -> Result<(), Failure> {
    let folder = parent(file);
    let folder = folder
        .canonicalize()
        .map_err(Failure::file("use the folder", folder))?;
    match data.canonicalize() {
        Ok(data) if folder.starts_with(&data) => Err(Failure::Inside(file.to_path_buf())),
        _ => Ok(()),
    }
}

/// Makes sure that a file's new name outlives a power cut.
pub(super) fn sync_parent(file: &Path) -> Result<(), Failure> {
    sync(parent(file))
}

fn sync(folder: &Path) -> Result<(), Failure> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(Failure::file("write", folder))
}

fn parent(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// An empty data folder. One that was made for this is removed again, unless it is kept.
pub(super) struct Claim<'a> {
    data: &'a Path,
    made: bool,
}

impl<'a> Claim<'a> {
    pub(super) fn take(data: &'a Path) -> Result<Self, Failure> {
        match fs::read_dir(data) {
            Ok(entries) => {
                for entry in entries {
                    let entry = entry.map_err(Failure::file("list", data))?;
                    if entry.file_name() != LOST_AND_FOUND && entry.file_name() != STAGING {
                        return Err(Failure::NotEmpty(data.to_path_buf()));
                    }
                }
                remove_leftover(&data.join(STAGING), |path| fs::remove_dir_all(path))?;
                Ok(Self { data, made: false })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_folder(data)?;
                Ok(Self { data, made: true })
            }
            Err(error) => Err(Failure::file("list", data)(error)),
        }
    }

    pub(super) fn keep(mut self) {
        self.made = false;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.made {
            let _ = fs::remove_dir(self.data);
        }
    }
}

/// Where a backup is unpacked, within the data folder and so on its disk. Removed with all that
/// is in it, unless it is finished.
pub(super) struct Staging<'a> {
    data: &'a Path,
    path: PathBuf,
    /// Locked while this lives.
    _folder: File,
}

impl<'a> Staging<'a> {
    pub(super) fn begin(claim: &Claim<'a>) -> Result<Self, Failure> {
        let path = claim.data.join(STAGING);
        match DirBuilder::new().mode(FOLDER_MODE).create(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Failure::Busy(path));
            }
            Err(error) => return Err(Failure::file("create", &path)(error)),
        }
        let folder = File::open(&path).map_err(Failure::file("lock", &path))?;
        lock(&path, &folder)?;
        Ok(Self {
            data: claim.data,
            _folder: folder,
            path,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the file of a safe path, readable by its owner only.
    pub(super) fn create(&self, path: &str) -> Result<File, Failure> {
        let place = self.path.join(path);
        make_folder(parent(&place))?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&place)
            .map_err(Failure::file("create", &place))
    }

    /// Moves everything to its place, the database last: without it no server takes the folder
    /// for a whole one.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let mut names = Vec::new();
        let list = || Failure::file("list", &self.path);
        for entry in fs::read_dir(&self.path).map_err(list())? {
            names.push(entry.map_err(list())?.file_name());
        }
        names.retain(|name| name != LOCK);
        names.sort_by_key(|name| name == DATABASE || name == ADDRESS_FILE);
        let owner = fs::metadata(self.data).map_err(Failure::file("read", self.data))?;
        for name in names {
            let (from, to) = (self.path.join(&name), self.data.join(&name));
            give(&from, owner.uid(), owner.gid())?;
            fs::rename(&from, &to).map_err(Failure::file("name", &to))?;
        }
        sync(self.data)
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes, with `remove`, what a backup or a restore left that was cut off. One that is still at
/// it has its file or folder locked.
pub(super) fn remove_leftover(
    path: &Path,
    remove: fn(&Path) -> io::Result<()>,
) -> Result<(), Failure> {
    // Network disks lock only what may be written; folders are never opened for that.
    let open = OpenOptions::new()
        .read(true)
        .write(!path.is_dir())
        .open(path);
    let left = match open {
        Ok(left) => left,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::file("replace", path)(error)),
    };
    match left.try_lock() {
        Ok(()) => remove(path).map_err(Failure::file("replace", path)),
        Err(TryLockError::WouldBlock) => Err(Failure::Busy(path.to_path_buf())),
        Err(TryLockError::Error(error)) if knows_no_locks(&error) => {
            remove(path).map_err(Failure::file("replace", path))
        }
        Err(TryLockError::Error(error)) => Err(Failure::file("replace", path)(error)),
    }
}

/// Locks what is being written, so that nobody takes it for what was left; on a disk that knows
/// no locks, nothing.
pub(super) fn lock(path: &Path, file: &File) -> Result<(), Failure> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Failure::Busy(path.to_path_buf())),
        Err(TryLockError::Error(error)) if knows_no_locks(&error) => Ok(()),
        Err(TryLockError::Error(error)) => Err(Failure::file("lock", path)(error)),
    }
}

fn knows_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(libc::ENOLCK)
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(path)
        .map_err(Failure::file("create", path))
}

/// Gives what the administrator restored to the user whose data folder it is.
fn give(path: &Path, uid: u32, gid: u32) -> Result<(), Failure> {
    let failed = || Failure::file("give away", path);
    let metadata = fs::symlink_metadata(path).map_err(failed())?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path).map_err(failed())? {
            give(&entry.map_err(failed())?.path(), uid, gid)?;
        }
    }
    if (metadata.uid(), metadata.gid()) == (uid, gid) {
        return Ok(());
    }
    chown(path, Some(uid), Some(gid)).map_err(failed())
}
