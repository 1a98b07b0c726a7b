//! The files of the page, as they are sent.

use std::collections::BTreeSet;

use support::aside::Aside;

use crate::browser::{GET, OF_A_BROWSER};

/// Bytes of the page and all that it asks for, compressed.
const BYTES_MAX: usize = 100_000;

#[tokio::test]
async fn the_page_is_small_and_asks_for_nothing_from_elsewhere() {
    let aside = Aside::start(&[]).await;
    let [mut left, mut seen] = [vec!["/".to_owned()], Vec::new()];
    let mut bytes = 0;
    while let Some(path) = left.pop() {
        let compressed = aside.send(GET, &path, &[OF_A_BROWSER[0], ("accept-encoding", "gzip")]);
        bytes += compressed.await.body.len();
        let answer = aside.send(GET, &path, &OF_A_BROWSER).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let quoted: BTreeSet<_> =
            text.split('"').filter(|it| is_file(it)).map(str::to_owned).collect();
        seen.push(path);
        let new = quoted.into_iter().map(|it| it.replacen("./", "/page/", 1));
        let new: Vec<_> = new.filter(|it| !seen.contains(it) && !left.contains(it)).collect();
        left.extend(new);
    }
    assert!(seen.len() > 8, "{seen:?}");
    assert!(bytes <= BYTES_MAX, "{bytes} bytes");
}

fn is_file(text: &str) -> bool {
    let is_ours = text.starts_with("/page/") || text.starts_with("./");
    is_ours && (text.ends_with(".js") || text.ends_with(".css"))
}

#[tokio::test]
async fn a_file_that_a_browser_has_is_not_sent_again() {
    let aside = Aside::start(&[]).await;
    let first = aside.get("/page/main.js").await;
    assert_eq!(first.header("content-type"), "text/javascript; charset=utf-8");
    let again = aside.send(GET, "/page/main.js", &[("if-none-match", first.header("etag"))]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let viewer = "/page/vendor/swagger-ui-bundle.js";
    let viewer = aside.send(GET, viewer, &[("accept-encoding", "gzip")]).await;
    assert!(!viewer.headers.contains_key("content-encoding"), "it would be compressed for each");
    aside.get("/page/..%2fCargo.toml").await.problem(404);
    aside.get("/page/vendor/none.js").await.problem(404);
}
