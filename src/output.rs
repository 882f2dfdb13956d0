//! Files that are whole or not there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// Writes the file `path` through `write`: to a temporary file in the same folder, which takes the name `path` when all of
/// it is on its way to the disk. On any error `path` is as it was before.
///
/// A symbolic link is followed. What is not a regular file (a pipe, `/dev/null`) cannot be replaced and is written directly.
pub fn write(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let inner = || match open(path)? {
        Target::Direct(mut file) => write(&mut file),
        Target::Replaced(mut temporary, target) => {
            write(temporary.as_file_mut())?;
            temporary.persist(&target)?;
            Ok(())
        }
    };
    inner().with_context(|| cannot_be_written(path))
}

/// Whether `path` can be written, as far as that can be told without writing: for those who have a long time to go until they
/// write.
pub fn check(path: &Path) -> Result<()> {
    open(path)
        .map(drop)
        .with_context(|| cannot_be_written(path))
}

enum Target {
    /// Something that cannot be replaced.
    Direct(File),
    /// A temporary file, and where it is to go.
    Replaced(NamedTempFile, PathBuf),
}

fn open(path: &Path) -> io::Result<Target> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        return Ok(Target::Direct(File::options().write(true).open(&target)?));
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let message = format!("there is no folder {}", folder.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    // Its own error names the temporary file, of which nobody has heard.
    let temporary = builder().tempfile_in(folder).map_err(|error| {
        let message = format!(
            "no file can be made in {}: {}",
            folder.display(),
            error.kind()
        );
        io::Error::new(error.kind(), message)
    })?;
    Ok(Target::Replaced(temporary, target))
}

fn cannot_be_written(path: &Path) -> String {
    format!("{}: cannot be written", path.display())
}

/// Temporary files are private unless told otherwise; an output should have the permissions of any new file.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mobilenet-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_error_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for before in [None, Some("old")] {
            if let Some(text) = before {
                fs::write(&path, text).unwrap();
            }
            let result = write(&path, |file| {
                file.write_all(b"half of the n")?;
                Err(io::ErrorKind::StorageFull.into())
            });
            assert!(
                format!("{:#}", result.unwrap_err()).starts_with(&format!("{}: ", path.display()))
            );
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), before);
            assert_eq!(
                fs::read_dir(dir.path()).unwrap().count(),
                before.iter().count()
            );
        }
        write(&path, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn missing_folders_are_named() {
        let path = Path::new("no/such/folder/y.npy");
        for error in [write(path, |_| Ok(())), check(path)] {
            assert_eq!(
                format!("{:#}", error.unwrap_err()),
                "no/such/folder/y.npy: cannot be written: there is no folder no/such/folder"
            );
        }
    }

    /// Where even root makes no file.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_temporary_file_is_not_named() {
        let error = check(Path::new("/proc/self/y.npy")).unwrap_err();
        let message = format!("{error:#}");
        assert!(
            message
                .starts_with("/proc/self/y.npy: cannot be written: no file can be made in /proc/"),
            "{message}"
        );
        assert!(!message.contains(".mobilenet-"), "{message}");
    }

    #[test]
    fn a_check_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fs::write(&old, "old").unwrap();
        check(&old).unwrap();
        check(&new).unwrap();
        assert!(check(dir.path()).is_err());
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_and_files_get_usual_permissions() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        write(&link, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        let plain = dir.path().join("plain");
        fs::write(&plain, "").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&file), mode(&plain));
    }
}
