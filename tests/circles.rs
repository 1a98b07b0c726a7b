//! No file of the sources needs another that needs it, by their `use` lines: words that two files need stand in a third.

// Tells the lints that the functions beside the test are of the test.
#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The path of a module or of a thing in it, from the root of the crate.
type Name = Vec<String>;

/// The sources: each file by the module that it is.
struct House {
    files: BTreeMap<Name, File>,
    /// What a folder's `mod.rs` shows as its own, and where it really stands.
    shown: BTreeMap<Name, Name>,
}

struct File {
    is_folder: bool,
    /// Paths as its `use` lines have them, and whether others may use them from here.
    uses: Vec<(bool, Name)>,
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A file without its comments and its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let without_comments: Vec<_> =
        text.lines().map(|line| line.split("//").next().unwrap()).collect();
    let code = without_comments.join("\n").replace("#[cfg(test)]\nmod tests;", "");
    code.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned()
}

/// The paths of a tree such as `a::{b, c::{d, e}}`.
fn leaves(tree: &str, before: &[String], found: &mut Vec<Name>) {
    let Some((path, rest)) = tree.split_once('{') else {
        let segments = tree.split("::").filter(|segment| !segment.is_empty());
        let name = segments.map(|it| it.split(" as ").next().unwrap().trim().to_owned());
        found.push(before.iter().cloned().chain(name).collect());
        return;
    };
    let begin = path.split("::").map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned);
    let begin: Name = before.iter().cloned().chain(begin).collect();
    let (mut depth, mut branch) = (0, String::new());
    for letter in rest[..rest.rfind('}').unwrap()].chars().chain([',']) {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if letter == ',' && depth == 0 {
            if !branch.trim().is_empty() {
                leaves(branch.trim(), &begin, found);
            }
            branch.clear();
        } else {
            branch.push(letter);
        }
    }
}

fn uses(code: &str) -> Vec<(bool, Name)> {
    let mut all = Vec::new();
    for statement in code.split(';') {
        let Some(at) = statement.rfind("use ").filter(|at| {
            statement[..*at].ends_with(['\n', ' ', ')']) || statement[..*at].is_empty()
        }) else {
            continue;
        };
        let is_shown = statement[..at].trim_end().ends_with(['b', ')']);
        let mut found = Vec::new();
        leaves(statement[at + 4..].trim(), &[], &mut found);
        all.extend(found.into_iter().map(|name| (is_shown, name)));
    }
    all
}

impl House {
    fn read(folder: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut paths = Vec::new();
        sources(&root, &mut paths);
        let mut house = Self { files: BTreeMap::new(), shown: BTreeMap::new() };
        for path in paths {
            let relative = path.strip_prefix(&root).unwrap().with_extension("");
            let mut name: Name =
                relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            let is_folder = ["mod", "lib", "main"].contains(&name.last().unwrap().as_str());
            if is_folder {
                name.pop();
            }
            if !name.contains(&"tests".to_owned()) {
                house.files.insert(name, File { is_folder, uses: uses(&code(&path)) });
            }
        }
        for (name, file) in house.files.iter().filter(|(_, file)| file.is_folder) {
            for (_, used) in file.uses.iter().filter(|(is_shown, _)| *is_shown) {
                if let Some(from) = house.absolute(name, used) {
                    let shown = name.iter().chain(from.last()).cloned().collect();
                    house.shown.insert(shown, from);
                }
            }
        }
        house
    }

    /// A path as it is from the root; `None` if it is of another crate.
    fn absolute(&self, module: &Name, used: &Name) -> Option<Name> {
        let (first, rest) = used.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module, rest].concat()),
            "super" => {
                let (_, parent) = module.split_last()?;
                let rest = rest.to_vec();
                let is_next = rest.first().is_some_and(|it| it == "super");
                if is_next {
                    self.absolute(&parent.to_vec(), &rest)
                } else {
                    Some([parent, &rest].concat())
                }
            }
            _ => {
                let inside = [&module[..], std::slice::from_ref(first)].concat();
                self.files.contains_key(&inside).then(|| [&module[..], used].concat())
            }
        }
    }

    /// The file in which `name` really stands.
    fn file_of(&self, name: &Name) -> Option<Name> {
        (1..=name.len()).rev().find_map(|length| {
            let (begin, rest) = name.split_at(length);
            if self.files.contains_key(begin) {
                return Some(begin.to_vec());
            }
            self.shown.get(begin).and_then(|from| self.file_of(&[&from[..], rest].concat()))
        })
    }

    fn needs(&self, module: &Name) -> BTreeSet<Name> {
        let file = &self.files[module];
        // What a folder only shows it does not need.
        let needed = file.uses.iter().filter(|(is_shown, _)| !(file.is_folder && *is_shown));
        let names = needed.filter_map(|(_, used)| self.file_of(&self.absolute(module, used)?));
        names.filter(|name| name != module).collect()
    }
}

/// Takes away, again and again, the files that need none of those left. In the end there are only circles, and what
/// needs one.
fn in_circles(mut left: BTreeMap<Name, BTreeSet<Name>>) -> BTreeMap<Name, BTreeSet<Name>> {
    loop {
        let free: Vec<Name> = left
            .iter()
            .filter(|(_, needs)| needs.iter().all(|need| !left.contains_key(need)))
            .map(|(name, _)| name.clone())
            .collect();
        if free.is_empty() {
            return left;
        }
        free.iter().for_each(|name| drop(left.remove(name)));
    }
}

#[test]
fn no_file_needs_one_that_needs_it() {
    are_in_no_circle("crates/edge/src", 10);
    are_in_no_circle("crates/top/src", 3);
    are_in_no_circle("src", 300);
}

/// The sources in `folder`, whose files need each other at least so often.
fn are_in_no_circle(folder: &str, needs_min: usize) {
    let house = House::read(folder);
    let needs: BTreeMap<_, _> =
        house.files.keys().map(|name| (name.clone(), house.needs(name))).collect();
    assert!(needs.values().map(BTreeSet::len).sum::<usize>() > needs_min, "{folder} is not read");
    let circles = in_circles(needs);
    let told: Vec<_> = circles
        .iter()
        .map(|(name, needs)| {
            let needs = needs.iter().filter(|need| circles.contains_key(*need));
            let needs: Vec<_> = needs.map(|need| need.join("::")).collect();
            format!("{} needs {}", name.join("::"), needs.join(", "))
        })
        .collect();
    assert!(told.is_empty(), "circles, or files that need one:\n{}", told.join("\n"));
}

#[test]
fn a_circle_is_found() {
    let name = |text: &str| vec![text.to_owned()];
    let needs = |list: &[&str]| list.iter().map(|text| name(text)).collect::<BTreeSet<_>>();
    let house =
        [("a", needs(&["b"])), ("b", needs(&["c"])), ("c", needs(&["b"])), ("d", needs(&[]))];
    let circles = in_circles(house.map(|(file, needs)| (name(file), needs)).into());
    assert_eq!(circles.into_keys().collect::<Vec<_>>(), [name("a"), name("b"), name("c")]);
    let tree = "pub use self::a::{B, c::{D, E as F}};\nuse crate::x::Y;";
    let paths: Vec<_> = uses(tree).into_iter().map(|(_, path)| path.join("::")).collect();
    assert_eq!(paths, ["self::a::B", "self::a::c::D", "self::a::c::E", "crate::x::Y"]);
}
