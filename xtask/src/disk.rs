//! Whether the disk has room for what is about to be built. A compiler or a server that runs out of
//! it fails with words that name neither the disk nor a mend.

use std::path::{Path, PathBuf};
use std::{env, fs};

const MB: u64 = 1_000_000;

/// About what the target folder takes in the end, with debug information and incremental artefacts;
/// `.ci/run` asks for neither, and takes less than half of it.
const BUILT: u64 = 2_500 * MB;

/// What is needed even when all is built: new binaries beside the old ones, and the tests' server.
const ALWAYS: u64 = 700 * MB;

/// What there is to say before a build, if the disk may become too full.
pub fn shortage() -> Option<String> {
    let folder = target()?;
    let disk = rustix::fs::statvfs(&folder).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    complaint(&folder, free, size(&folder))
}

fn complaint(folder: &Path, free: u64, built: u64) -> Option<String> {
    let needed = BUILT.saturating_sub(built).max(ALWAYS);
    (free < needed).then(|| {
        format!(
            "{} MB are free where `{}` is, and up to {} MB may be needed; `cargo clean` frees what \
             earlier builds left, CARGO_TARGET_DIR names another place, and CARGO_INCREMENTAL=0 \
             CARGO_PROFILE_DEV_DEBUG=0 takes half as much",
            free / MB,
            folder.display(),
            needed.div_ceil(MB),
        )
    })
}

/// The target folder, in whose `debug` we were built ourselves.
fn target() -> Option<PathBuf> {
    let own = env::current_exe().ok()?;
    own.parent()?.parent().map(Path::to_owned)
}

/// The bytes below a folder; what can't be read counts as nothing.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_not_needed_again() {
        let complains = |free, built| complaint(Path::new("target"), free, built).is_some();
        assert!(complains(BUILT - MB, 0));
        assert!(!complains(BUILT, 0));
        assert!(!complains(BUILT / 2, BUILT / 2));
        assert!(complains(ALWAYS - MB, 2 * BUILT));
        assert!(!complains(ALWAYS, 2 * BUILT));
    }

    #[test]
    fn the_words_name_the_place_the_figures_and_a_mend() {
        let says = complaint(Path::new("/built/here"), 12 * MB, BUILT).unwrap_or_default();
        for word in ["`/built/here`", "12 MB are free", "700 MB", "cargo clean"] {
            assert!(says.contains(word), "{says}");
        }
    }

    #[test]
    fn a_folder_is_as_large_as_the_files_below_it() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("below")).expect("a folder");
        for (name, bytes) in [("one", 10), ("below/two", 200)] {
            fs::write(folder.path().join(name), vec![0; bytes]).expect("a file");
        }
        assert_eq!(size(folder.path()), 210);
        assert!(target().is_some_and(|folder| size(&folder) > MB));
    }
}
