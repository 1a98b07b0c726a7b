//! What `ops/` goes by: each metric of the board and the alerts is there, and the three that only alerts read are right.

use std::{collections::BTreeSet, fs, path::Path};

use support::{
    aside::{Aside, Place},
    eventually,
    memcached::Memcached,
};

/// A table with triggers, so that there is something to be relayed.
const FILE: &str = "
[resource.thing]
path = '/things/{id}'
parameters = { id = 'integer' }
query = 'SELECT id FROM things WHERE id = :id'
changed_by = [{ table = 'things', columns = { id = 'id' } }]
";

/// The names in a file of `ops/` that begin as ours do.
fn names(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new("ops").join(file)).unwrap();
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let words = text.split(|letter: char| !is_part(letter));
    words.filter(|word| word.starts_with("aside_")).map(str::to_owned).collect()
}

/// The value of the first series that begins so.
async fn value(aside: &Aside, series: &str) -> Option<String> {
    let text = aside.metrics().await;
    let line = text.lines().find(|line| line.starts_with(series))?;
    line.rsplit(' ').next().map(str::to_owned)
}

async fn becomes(aside: &Aside, series: &str, expected: &str) {
    eventually(&format!("{series} {expected}"), async || {
        (value(aside, series).await.as_deref() == Some(expected)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_metric_of_the_board_and_the_alerts_is_there() {
    let memcached = Memcached::start().await;
    let place = Place::in_file().await;
    place.execute("CREATE TABLE things (id INTEGER PRIMARY KEY)").await;
    let file = place.file("aside.toml");
    fs::write(&file, FILE).unwrap();
    let address = memcached.address().to_string();
    let settings = ["--memcached", &address, "--resources", file.to_str().unwrap()];
    let aside = Aside::start_at(&place, &settings).await;
    let text = aside.metrics().await;
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let there: BTreeSet<&str> = series.filter_map(|line| line.split(['{', ' ']).next()).collect();
    for file in ["alerts.yml", "alerts_test.yml", "grafana.json"] {
        let names = names(file);
        assert!(names.len() > 10, "{file} has {names:?}");
        let missing: Vec<_> = names.iter().filter(|name| !there.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{file} has {missing:?}, and /metrics has {there:?}");
    }
    for series in ["aside_ready", "aside_notes_relayed{"] {
        becomes(&aside, series, "1").await;
    }
}

#[tokio::test]
async fn what_a_server_was_not_told_is_counted_until_it_is() {
    let mut memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    let series = "aside_changes_undelivered{";
    assert_eq!(value(&aside, series).await.as_deref(), Some("0"));
    memcached.kill();
    let written = aside.rename(1, "Ada").await;
    assert!(written.header("cache-status").contains("pending"), "{written:?}");
    becomes(&aside, series, "1").await;
    memcached.restart().await;
    becomes(&aside, series, "0").await;
}
