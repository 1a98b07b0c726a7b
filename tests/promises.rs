//! The map of the promises is true: each test that it names is where it says.

// Tells the lints that the function beside the test is of the test.
#![cfg(test)]

use std::{fs, path::Path};

/// The texts between `begin` and `end`, each time.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> impl Iterator<Item = &'a str> {
    text.split(begin).skip(1).filter_map(move |rest| Some(rest.split_once(end)?.0))
}

/// The sources in the folder of `file`, or that file itself if it is a test binary.
fn sources(file: &Path) -> String {
    let folder = file.parent().unwrap();
    if folder.ends_with("tests") {
        return fs::read_to_string(file).unwrap();
    }
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn every_test_of_the_map_is_where_it_says() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let map = fs::read_to_string(tests.join("README.md")).unwrap();
    let rows: Vec<_> = map.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    assert!(rows.len() > 40, "{} promises", rows.len());
    for row in rows {
        let [_, promise, places, names, _] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let files = between(places, "](", ")").map(|file| sources(&tests.join(file)));
        let sources: String = files.collect();
        for name in names.split('`').skip(1).step_by(2) {
            assert!(sources.contains(&format!("fn {name}(")), "{promise}: no {name} in {places}");
        }
    }
}
