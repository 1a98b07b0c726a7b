//! What a person sees.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use support::{aside::Aside, memcached::Memcached};
use tokio::{task::JoinSet, time::sleep};

use crate::browser::Browser;

const AXE: &str = include_str!("vendor/axe.min.js");

pub(crate) async fn served(memcached: &Memcached) -> Aside {
    let server = memcached.address().to_string();
    Aside::start(&["--memcached", &server, "--slow-query", "50ms"]).await
}

/// Clients that ask for a few users again and again until they are dropped.
pub(crate) fn load(aside: &Aside) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let (client, address) = (aside.client.clone(), aside.address);
        clients.spawn(async move {
            loop {
                // One id is asked for most; another is remembered as absent for five seconds only, and missed most.
                let id = match fastrand::u32(..100) {
                    ..50 => 7,
                    50 => 99_999,
                    _ => fastrand::u32(1..=200),
                };
                let _ = client.get(format!("http://{address}/users/{id}")).send().await;
                sleep(Duration::from_millis(5)).await;
            }
        });
    }
    clients
}

fn first_number(text: &str) -> u64 {
    let digits: String = text
        .chars()
        .skip_while(|it| !it.is_ascii_digit())
        .take_while(|it| it.is_ascii_digit() || *it == ',')
        .collect();
    digits.replace(',', "").parse().unwrap_or(0)
}

#[tokio::test]
async fn hits_rise_under_load_and_a_server_that_goes_and_comes_back_is_marked() {
    let Some(browser) = Browser::start("hits rise under load").await else { return };
    let mut memcached = Memcached::start().await;
    let aside = served(&memcached).await;
    browser.open(&format!("http://{}/", aside.address)).await;
    browser.shows("#state", |text| text == "Live").await;
    let _load = load(&aside);
    browser.shows("#legend-outcomes .hit", |text| first_number(text) > 0).await;
    let asked = "#resources tbody tr:nth-child(2) td:nth-child(2)";
    let before = first_number(&browser.shows(asked, |text| first_number(text) > 100).await);
    browser.shows(asked, |text| first_number(text) > before).await;
    browser.shows("#verdict", |text| text.contains("earns its keep")).await;
    browser
        .shows("#saved", |text| {
            text.contains("did not reach the source") && text.contains("of query time")
        })
        .await;
    browser.shows("#asked tbody tr:first-child", |text| text.starts_with("user:7")).await;

    memcached.kill();
    browser.shows("#servers tbody tr", |text| text.contains("out of service")).await;
    memcached.restart().await;
    browser
        .shows("#servers tbody tr", |text| text.contains("in service") && !text.contains("out of"))
        .await;
    let told = browser.value("document.querySelector('#plot-outcomes').ariaLabel").await;
    let told = told.as_str().unwrap();
    assert!(told.contains("is away") && told.contains("is back"), "{told}");
    assert_eq!(browser.complaints().await, [Value::Null; 0]);
    browser.close().await;
}

#[tokio::test]
async fn one_thing_is_asked_for_explained_changed_and_forgotten() {
    let Some(browser) = Browser::start("one thing is asked for").await else { return };
    let memcached = Memcached::start().await;
    let aside = served(&memcached).await;
    browser.open(&format!("http://{}/", aside.address)).await;
    browser.shows("#state", |text| text == "Live").await;
    browser.enter("#parameters input", "42").await;
    browser.click("#send").await;
    browser.shows("#answer", |text| text.contains("200 OK MISS in ")).await;
    browser.click("#send").await;
    let told = browser.shows("#answer", |text| text.contains("HIT in ")).await;
    assert!(told.contains("; the query took ") && told.contains("\"id\": 42"), "{told}");
    assert!(told.contains("a fresh entry: the source was not asked"), "{told}");
    browser.click("#explain").await;
    let told = browser.shows("#life", |text| text.contains("It is fresh")).await;
    assert!(told.contains("Key user:42.") && told.contains("the only server"), "{told}");
    assert_eq!(browser.value("document.querySelectorAll('#life rect').length").await, 3);

    let name =
        "<script>document.title='hurt'</script><img src=x onerror=\"document.title='hurt'\">";
    let renamed = aside.send_json(Method::PATCH, "/users/42", &json!({ "name": name })).await;
    assert_eq!(renamed.status, 200);
    browser.click("#send").await;
    browser.shows("#answer pre", |text| text.contains("<script>")).await;
    assert_eq!(browser.value("document.title").await, "Aside");

    browser.click("#change summary").await;
    browser.enter("#body", r#"{"name":"Ada"}"#).await;
    browser.click("#patch button").await;
    browser
        .shows("#answer", |text| text.contains("its entry forgotten") && text.contains("\"Ada\""))
        .await;
    browser.click("#warm").await;
    browser.shows("#queue", |text| text.contains("1 done")).await;
    browser.click("#forget").await;
    browser.shows("#answer", |text| text.contains("It is forgotten.")).await;
    browser.enter("#parameters input", "0").await;
    browser.click("#send").await;
    browser.shows("#answer .bad", |text| text.starts_with("400")).await;
    // A refusal is a line of the browser's own.
    let complaints = browser.complaints().await;
    assert!(
        complaints.iter().all(|it| it["message"].as_str().unwrap().contains("/users/0")),
        "{complaints:?}"
    );
    browser.close().await;
}

#[tokio::test]
async fn everybody_can_read_it_at_any_width_in_light_and_dark() {
    let Some(browser) = Browser::start("everybody can read it").await else { return };
    let memcached = Memcached::start().await;
    let aside = served(&memcached).await;
    browser.open(&format!("http://{}/", aside.address)).await;
    browser.shows("#state", |text| text == "Live").await;
    let _load = load(&aside);
    browser.click("#send").await;
    browser.shows("#answer", |text| text.contains("200 OK")).await;
    browser.click("#explain").await;
    browser.shows("#life", |text| text.contains("Key user:42.")).await;
    browser.shows("#legend-outcomes .hit", |text| first_number(text) > 0).await;
    browser.client.execute(AXE, Vec::new()).await.unwrap();
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        for width in [360, 1920] {
            browser.looks(width, scheme).await;
            let overflow = browser
                .value("Math.max(0, document.documentElement.scrollWidth - innerWidth)")
                .await;
            assert_eq!(overflow, 0, "{width} pixels scroll sideways");
            let found = browser.client.execute_async(
                "const done = arguments[arguments.length - 1]; axe.run().then((all) => done(all.violations.filter((it) => ['serious', 'critical'].includes(it.impact)).map((it) => [it.id, it.nodes.map((node) => node.html)])))",
                Vec::new(),
            );
            assert_eq!(found.await.unwrap(), json!([]), "{width} {scheme}");
        }
        grounds.push(browser.value("getComputedStyle(document.body).backgroundColor").await);
    }
    assert_ne!(grounds[0], grounds[1]);
    assert_eq!(browser.complaints().await, [Value::Null; 0]);
    browser.close().await;
}

#[tokio::test]
async fn the_reference_is_shown_without_the_world_outside() {
    let Some(browser) = Browser::start("the reference is shown").await else { return };
    let aside = Aside::start(&[]).await;
    browser.open(&format!("http://{}/docs", aside.address)).await;
    browser
        .shows("#reference", |text| text.contains("/users/{id}") && text.contains("/events"))
        .await;
    let from = "[...new Set(performance.getEntriesByType('resource').map((it) => new URL(it.name)).filter((it) => it.protocol.startsWith('http')).map((it) => it.host))]";
    assert_eq!(browser.value(from).await, json!([aside.address.to_string()]));
    assert_eq!(browser.complaints().await, [Value::Null; 0]);
    browser.close().await;
}
