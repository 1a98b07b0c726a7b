//! Chromium without a window, driven by chromedriver.

use std::{process::Stdio, time::Duration};

use fantoccini::{
    Client, ClientBuilder, Locator, error::NewSessionError, wd::WebDriverCompatibleCommand,
};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use support::{eventually, memcached::free_port};
use tokio::{
    process::{Child, Command},
    time::sleep,
};

/// For root in a container, without a network, and with nothing left behind.
const ARGUMENTS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,900",
];

/// A browser with one page.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
}

impl Drop for Browser {
    /// Chromium outlives its driver, and is in the same group.
    fn drop(&mut self) {
        let group = self.driver.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
    }
}

/// A command that is Chromium's own.
#[derive(Debug)]
struct Own(&'static str, Value);

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap(), self.0))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.1.to_string()))
    }
}

impl Browser {
    /// Starts one; `None`, and says so, where there is none.
    pub(crate) async fn start(test: &str) -> Option<Self> {
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let Ok(driver) = driver else {
            // Not through the test runner, which would keep it to itself.
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("skipped, as chromedriver is not installed: {test}\n"),
            );
            return None;
        };
        let options = json!({
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": ARGUMENTS },
        });
        let client = eventually("a browser", async || {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(options.as_object().unwrap().clone());
            let connected: Result<Client, NewSessionError> =
                builder.connect(&format!("http://127.0.0.1:{port}")).await;
            connected.ok()
        })
        .await;
        Some(Self { client, driver })
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// The value of an expression.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.client.execute(&format!("return {expression}"), Vec::new()).await.unwrap()
    }

    /// The text of the first element that `selector` finds.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let text = format!("document.querySelector({selector:?})?.innerText ?? ''");
        self.value(&text).await.as_str().unwrap().to_owned()
    }

    /// Waits until the text of the first element that `selector` finds is as `holds` says, and returns it.
    pub(crate) async fn shows(&self, selector: &str, holds: impl Fn(&str) -> bool) -> String {
        eventually(selector, async || {
            let text = self.text(selector).await;
            if holds(&text) {
                return Some(text);
            }
            sleep(Duration::from_millis(50)).await;
            None
        })
        .await
    }

    pub(crate) async fn click(&self, selector: &str) {
        self.client.find(Locator::Css(selector)).await.unwrap().click().await.unwrap();
    }

    /// Types `text` in place of what is in a field.
    pub(crate) async fn enter(&self, selector: &str, text: &str) {
        let field = self.client.find(Locator::Css(selector)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Has a screen of this width, and prefers this scheme of colours.
    pub(crate) async fn looks(&self, width: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.own("Emulation.setDeviceMetricsOverride", size).await;
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.own("Emulation.setEmulatedMedia", feature).await;
    }

    /// The whole page as a picture (PNG), in base64.
    pub(crate) async fn picture(&self) -> String {
        let [width, height] =
            ["clientWidth", "scrollHeight"].map(|it| format!("document.documentElement.{it}"));
        let clip = json!({
            "x": 0, "y": 0, "scale": 1,
            "width": self.value(&width).await, "height": self.value(&height).await,
        });
        let picture = json!({ "captureBeyondViewport": true, "clip": clip });
        let answer = self.own("Page.captureScreenshot", picture).await;
        answer["data"].as_str().unwrap().to_owned()
    }

    async fn own(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.client.issue_cmd(Own("goog/cdp/execute", body)).await.unwrap()
    }

    /// The complaints of the page since the last look.
    pub(crate) async fn complaints(&self) -> Vec<Value> {
        let log = self.client.issue_cmd(Own("se/log", json!({ "type": "browser" }))).await.unwrap();
        log.as_array().unwrap().clone()
    }

    pub(crate) async fn close(self) {
        self.client.clone().close().await.unwrap();
    }
}

/// The header that makes a `GET` a browser's.
pub(crate) const OF_A_BROWSER: [(&str, &str); 1] = [("accept", "text/html,*/*;q=0.8")];
pub(crate) const GET: Method = Method::GET;
