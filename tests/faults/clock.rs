//! The wall clock may jump: nothing that expires, pauses or gives up looks at it.

use std::{fs, path::Path};

/// Names by which the wall clock is read.
const WALL_CLOCKS: &[&str] = &[
    "SystemTime",
    "UNIX_EPOCH",
    "unixepoch",
    "'now'",
    "CURRENT_TIMESTAMP",
    "chrono::",
    "jiff::",
    "OffsetDateTime",
];

/// Files that may read it: for the dates that a user is shown, of a row and of a log-in; for the times of jobs and of
/// what is taken for a moment, which processes share (and where a jump makes somebody do it twice); and tests.
const MAY: &[&str] = &[
    "src/jobs/sqlite.rs",
    "src/database/foreign/inbox.rs",
    "src/sessions/mod.rs",
    // The time on the axis of a plot.
    "src/operator/moment.rs",
    "src/database/tests/",
    "src/users/write.rs",
];

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn only_dates_that_are_shown_come_from_the_wall_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut readers = Vec::new();
    for path in files(&root.join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        let reads = |line: &&str| WALL_CLOCKS.iter().any(|clock| line.contains(clock));
        readers.extend(text.lines().filter(reads).map(|line| format!("{name}: {}", line.trim())));
    }
    readers.retain(|reader| !MAY.iter().any(|name| reader.starts_with(name)));
    assert!(readers.is_empty(), "{}", readers.join("\n"));
}
