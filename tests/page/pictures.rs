//! The pictures of the README, of the real thing: `script/screenshots` makes them anew.

use std::{env, fs, path::Path, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use support::memcached::Memcached;
use tokio::time::sleep;

use crate::{
    browser::Browser,
    seen::{load, served},
};

/// Long enough for something to be seen in the plots, and how long a server is away in the middle of it.
const LOADED: Duration = Duration::from_secs(90);
const AWAY: Duration = Duration::from_secs(15);

#[tokio::test]
#[ignore = "no test; script/screenshots runs it"]
async fn are_taken() {
    let folder = env::var_os("ASIDE_SCREENSHOTS").expect("ASIDE_SCREENSHOTS names a folder");
    let browser = Browser::start("pictures").await.expect("chromedriver is installed");
    let mut memcached = Memcached::start().await;
    let aside = served(&memcached).await;
    browser.open(&format!("http://{}/", aside.address)).await;
    browser.looks(1280, "light").await;
    let _load = load(&aside);
    sleep(LOADED).await;
    memcached.kill();
    sleep(AWAY).await;
    memcached.restart().await;
    sleep(LOADED).await;
    browser.click("#send").await;
    browser.shows("#answer", |text| text.contains("200 OK")).await;
    browser.click("#explain").await;
    browser.shows("#life", |text| text.contains("Key user:42.")).await;
    for scheme in ["light", "dark"] {
        browser.looks(1280, scheme).await;
        // The plots are drawn in the other colours by then.
        sleep(Duration::from_secs(2)).await;
        let bytes = BASE64_STANDARD.decode(browser.picture().await).unwrap();
        fs::write(Path::new(&folder).join(format!("page-{scheme}.png")), bytes).unwrap();
    }
    browser.close().await;
}
