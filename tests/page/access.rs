//! What is protected stays so, on the page as well.

use serde_json::{Value, json};
use support::aside::Aside;

use crate::browser::{Browser, GET, OF_A_BROWSER};

#[tokio::test]
async fn without_the_token_no_key_is_told_and_the_token_is_kept_nowhere() {
    let Some(browser) = Browser::start("without the token").await else { return };
    let aside = Aside::start(&["--api-token", "s3cret", "--slow-query", "0s"]).await;
    aside.get("/users/7").await;
    browser.open(&format!("http://{}/", aside.address)).await;
    browser.shows("#resources tbody", |text| text.contains("users")).await;
    assert_eq!(browser.value("document.querySelector('#keys').hidden").await, true);
    browser.shows("#queue", |text| text.contains("needs the API token")).await;
    assert!(!browser.value("document.body.innerText").await.to_string().contains("user:7"));

    browser.enter("#token", "wrong").await;
    browser.click("#access button").await;
    browser.shows("#state", |text| text.contains("needs the API token")).await;
    browser.enter("#token", "s3cret").await;
    browser.click("#access button").await;
    browser.shows("#missed tbody", |text| text.contains("user:7")).await;
    browser.shows("#queue", |text| text.contains("waiting")).await;
    let kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, document.querySelector('#token').value])";
    let kept = browser.value(kept).await;
    assert!(!kept.as_str().unwrap().contains("s3cret"), "{kept}");
    assert!(!aside.log().contains("s3cret"));
    browser.close().await;
}

#[tokio::test]
async fn the_index_is_for_programs_and_the_page_for_browsers() {
    let aside = Aside::start(&[]).await;
    let index = aside.get("/").await;
    assert_eq!((index.status, index.header("content-type")), (200, "application/json"));
    assert_eq!(index.json()["name"], "aside");
    assert_eq!(index.json()["resources"], json!(["/users/{id}", "/calculations/{n}"]));
    for path in index.json()["links"].as_object().unwrap().values().filter_map(Value::as_str) {
        if path != "/events" {
            assert_eq!(aside.get(path).await.status, 200, "{path}");
        }
    }
    let page = aside.send(GET, "/", &OF_A_BROWSER).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    for answer in [&page, &index] {
        let mut varies = answer.headers.get_all("vary").iter();
        assert!(varies.any(|value| value == "accept"), "{answer:?}");
    }
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(
        !String::from_utf8_lossy(&page.body).contains("<script>"),
        "no script stands in the page"
    );
}
