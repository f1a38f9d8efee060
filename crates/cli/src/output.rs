//! Files that are written: a file appears when it is complete, a device or a pipe is written as it is.

use crate::{out::Out, outcome::complain, paths::split};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use tempfile::NamedTempFile;

/// Where a result goes.
pub struct Output {
    path: PathBuf,
    place: Place,
}

enum Place {
    /// A file that is written beside the target, and renamed to it at the end. If the end isn't reached, nothing is
    /// left of it.
    Beside(NamedTempFile, PathBuf),
    /// Standard output, or a device or a pipe, which must not be replaced.
    Through(Box<dyn Write + Send>),
}

impl Output {
    /// Begins an output, of which Ctrl-C leaves nothing.
    pub fn create(path: &Path) -> io::Result<Self> {
        let output = Self::of(path)?;
        if let Place::Beside(file, _) = &output.place {
            remove_when_interrupted(file.path()).map_err(io::Error::other)?;
        }
        Ok(output)
    }

    /// Writes a short file at once.
    pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut output = Self::of(path)?;
        output.write(bytes)?;
        output.finish()
    }

    fn of(path: &Path) -> io::Result<Self> {
        let place = Place::of(path).map_err(|error| at(path, error))?;
        let path = path.into();
        Ok(Self { path, place })
    }

    /// Checks that an output can be written there, writes nothing, and tells whether it will be a file.
    pub fn is_file_at(path: &Path) -> io::Result<bool> {
        Ok(Self::of(path)?.is_file())
    }

    /// Where text for people goes: to standard output, or to standard error if a result itself may be there.
    pub fn beside<'a, 'b>(outputs: impl IntoIterator<Item = &'b Self>, out: &'a mut Out) -> Box<dyn Write + 'a> {
        match outputs.into_iter().all(Self::is_file) {
            true => Box::new(out),
            false => Box::new(io::stderr()),
        }
    }

    fn is_file(&self) -> bool {
        matches!(self.place, Place::Beside(..))
    }

    /// Writes bytes. The kind of an error tells whether a reader has closed the pipe.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = match &mut self.place {
            Place::Beside(file, _) => file.write_all(bytes),
            Place::Through(file) => file.write_all(bytes),
        };
        written.map_err(|error| at(&self.path, error))
    }

    pub fn finish(self) -> io::Result<()> {
        match self.place {
            Place::Beside(file, target) => {
                let renamed = file.persist(target);
                renamed.map(drop).map_err(|error| at(&self.path, error.error))
            }
            Place::Through(mut file) => file.flush().map_err(|error| at(&self.path, error)),
        }
    }
}

/// Refuses an output that is one of the inputs.
pub fn check_inputs<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), String> {
    let there = output.canonicalize().ok().filter(|there| there.is_file());
    let is_it = |input: &PathBuf| there.is_some() && split(input).0.canonicalize().ok() == there;
    match inputs.into_iter().any(is_it) {
        true => Err(format!("{}: it is an input; --overwrite replaces it", output.display())),
        false => Ok(()),
    }
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Through(Box::new(io::stdout())));
        }
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => {
                return Ok(Self::Through(Box::new(File::options().write(true).open(path)?)));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let target = linked(path);
        let folder = match target.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        // Without this the error names the temporary file.
        fs::metadata(folder)?;
        let mut builder = tempfile::Builder::new();
        // A temporary file is for its owner alone; the output gets the permissions of any new file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.prefix(".hard-sigmoid-").tempfile_in(folder)?;
        if let Ok(there) = fs::metadata(&target) {
            file.as_file().set_permissions(there.permissions())?;
        }
        Ok(Self::Beside(file, target))
    }
}

/// The files that Ctrl-C removes. Some may just have been finished.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(vec![]);

/// Makes Ctrl-C (and SIGTERM) remove a file and end the process at once, even while it waits for a pipe.
fn remove_when_interrupted(path: &Path) -> Result<(), ctrlc::Error> {
    let unfinished = || UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_first = unfinished().is_empty();
    unfinished().push(path.to_owned());
    if !is_first {
        return Ok(());
    }
    ctrlc::set_handler(move || {
        for path in unfinished().iter() {
            let _ = fs::remove_file(path);
        }
        complain("interrupted");
        // The status by which a shell reports a command that Ctrl-C ended.
        std::process::exit(130);
    })
}

/// Where a chain of symbolic links ends; there may be no file yet. `fs::metadata` has refused a circle.
fn linked(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    while let Ok(target) = fs::read_link(&path) {
        // An absolute target replaces the folder.
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
