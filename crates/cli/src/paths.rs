//! What the names of files say.

use std::path::{Path, PathBuf};

/// The file that a path names: itself, or what comes before a colon.
pub fn split(path: &Path) -> (PathBuf, Option<String>) {
    let text = path.to_str().filter(|_| !path.exists()).unwrap_or("");
    let mut parts = text.match_indices(':').map(|(at, _)| (&text[..at], &text[at + 1..]));
    let found = parts.find(|(file, _)| Path::new(file).is_file());
    match found {
        Some((file, tensor)) => (file.into(), Some(tensor.into())),
        None => (path.into(), None),
    }
}

/// The name of a file in lower case, from its last point on.
pub fn extension(path: &Path) -> Option<String> {
    path.extension()?.to_str().map(str::to_ascii_lowercase)
}
