//! What users have, every resource has.

use reqwest::Method;
use serde_json::json;
use support::{aside::Aside, eventually, memcached::Memcached};

use crate::shop::{PRODUCT, PRODUCTS, Shop};

/// All that a file can say of a query.
const BEST: &str = r#"
[resource.best]
path = "/best/{shop}"
parameters.shop = "integer"
parameters.limit = { type = "integer", from = "query", default = 2, min = 1, max = 100 }
database = "shop"
query = """
SELECT name, price, :shop AS shop FROM products ORDER BY price DESC LIMIT :limit -- the dearest
"""
rows = "all"
ttl = "1h"
token = true

[resource.status]
path = "/status"
database = "shop"
query = "SELECT count(*) AS products FROM products"
"#;

async fn served(shop: &Shop, arguments: &[&str]) -> Aside {
    shop.declare(&format!("{PRODUCT}{BEST}"));
    shop.install().await;
    shop.serve(arguments).await
}

#[tokio::test]
async fn a_row_of_somebody_elses_is_a_resource_with_all_that_belongs_to_one() {
    let memcached = Memcached::start().await;
    let server = memcached.address().to_string();
    for shop in Shop::of_each(PRODUCTS).await {
        let aside = served(&shop, &["--memcached", &server, "--api-token", "t0ken"]).await;
        let miss = aside.get("/products/A%202%2F%C3%BC").await;
        assert_eq!((miss.status, miss.x_cache()), (200, "MISS"));
        assert_eq!(miss.json(), json!({ "sku": "A 2/ü", "name": "Mate", "price": 325 }));
        let hit = aside.get("/products/A%202%2F%c3%bc").await;
        assert_eq!((hit.x_cache(), &hit.body), ("HIT", &miss.body));
        assert_eq!(hit.cache_status()["key"], "product:A%202%2F%C3%BC");
        let etag = hit.header("etag");
        let unchanged =
            aside.send(Method::GET, "/products/A%202%2F%C3%BC", &[("if-none-match", etag)]).await;
        assert_eq!(unchanged.status, 304);
        let head = aside.send(Method::HEAD, "/products/A%202%2F%C3%BC", &[]).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(
            aside.get_with("/products/A%202%2F%C3%BC", "no-cache").await.x_cache(),
            "BYPASS"
        );
        // Nothing of the kind, which is remembered.
        assert_eq!(
            aside.get("/products/none").await.problem(404),
            "There is no such thing in product."
        );
        let negative = aside.get("/products/none").await;
        assert_eq!((negative.status, negative.x_cache()), (404, "HIT"));
        for path in ["/products/A-1?x=1", "/products/%00", "/products/%FF"] {
            assert_eq!(aside.get(path).await.status, 400, "{path}");
        }
        // One row, and no parameters.
        assert_eq!(aside.get("/status").await.json(), json!({ "products": 3 }));
        assert_eq!(aside.get("/status").await.cache_status()["key"], "status");
        assert_eq!(aside.get("/status?").await.x_cache(), "HIT");
        let ledger = aside.get("/stats").await.json()["sources"]["product"].clone();
        assert_eq!(
            (&ledger["negative_hits"], &ledger["loads"]),
            (&json!(1), &json!(3)),
            "{ledger}"
        );
        assert!(
            aside
                .metrics()
                .await
                .contains(r#"aside_loads_total{source="status",result="found"} 1"#)
        );
        memcached.ask("flush_all\r\n", "OK\r\n").await.unwrap();
    }
}

#[tokio::test]
async fn all_rows_are_an_array_with_parameters_and_for_those_who_know_the_token() {
    for shop in Shop::of_each(PRODUCTS).await {
        let aside = served(&shop, &["--api-token", "t0ken"]).await;
        let get =
            async |path| aside.send(Method::GET, path, &[("authorization", "Bearer t0ken")]).await;
        assert_eq!(aside.get("/best/7").await.status, 401);
        let both = get("/best/7").await;
        let row = |name, price| json!({ "name": name, "price": price, "shop": 7 });
        assert_eq!(both.json(), json!([row("Kaffee", 700), row("Grüner Tee", 450)]));
        assert_eq!(both.cache_status()["key"], "best:7:2");
        assert_eq!(get("/best/7?limit=2").await.x_cache(), "HIT", "the default, spelt out");
        assert_eq!(get("/best/7?limit=1").await.json(), json!([row("Kaffee", 700)]));
        let none = get("/best/8?limit=100").await;
        assert_eq!((none.status, none.x_cache()), (200, "MISS"));
        for path in [
            "/best/7?limit=0",
            "/best/7?limit=101",
            "/best/7?limit=1&limit=1",
            "/best/07",
            "/best/7?o=1",
        ] {
            assert_eq!(get(path).await.status, 400, "{path}");
        }
        // It is explained, and forgotten, by the same names.
        let explained = get("/cache/best/7?limit=1").await.json();
        assert_eq!((&explained["state"], &explained["key"]), (&json!("fresh"), &json!("best:7:1")));
        let forget = async |path| {
            aside.send(Method::DELETE, path, &[("authorization", "Bearer t0ken")]).await.status
        };
        assert_eq!(forget("/cache/best/7?limit=1").await, 204);
        assert_eq!(get("/best/7?limit=1").await.x_cache(), "MISS");
        assert_eq!(forget("/cache/best/x").await, 400);
    }
}

#[tokio::test]
async fn it_is_warmed_up_and_described() {
    let shop = Shop::in_file(PRODUCTS).await;
    let aside = served(&shop, &["--job-delay", "0s"]).await;
    let ids = json!({ "resource": "product", "ids": ["A-1", ["A 2/ü"], "none"] });
    let queued = aside.send_json(Method::POST, "/jobs/warm-ups", &ids).await;
    assert_eq!((queued.status, queued.json()), (202, json!({ "queued": 3 })));
    let (status, said, _) = shop.run(&["jobs", "produce", "--resource", "product", "B-1"]).await;
    assert!(status == Some(0) && said.starts_with("queued 1 on "), "{said}");
    eventually("all are done", async || {
        (aside.get("/jobs").await.json()["done"] == 4).then_some(())
    })
    .await;
    for path in ["/products/A-1", "/products/A%202%2F%C3%BC", "/products/B-1"] {
        assert_eq!(aside.get(path).await.x_cache(), "HIT", "{path}");
    }
    let refused = json!({ "resource": "product", "ids": [1] });
    assert_eq!(aside.send_json(Method::POST, "/jobs/warm-ups", &refused).await.status, 422);
    let (status, _, complaint) =
        shop.run(&["jobs", "produce", "--resource", "product", "%00"]).await;
    assert!(status == Some(2) && complaint.contains("sku takes a text"), "{complaint}");
    let paths = aside.get("/openapi.json").await.json()["paths"].clone();
    let parameters = &paths["/best/{shop}"]["get"]["parameters"];
    assert_eq!(parameters[0]["schema"]["type"], "integer");
    assert_eq!(
        (&parameters[1]["in"], &parameters[1]["schema"]["default"]),
        (&json!("query"), &json!(2))
    );
    assert_eq!(
        paths["/best/{shop}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["type"],
        "array"
    );
    assert!(paths["/cache/product/{sku}"]["delete"].is_object());
}

#[tokio::test]
async fn two_rows_where_one_is_promised_are_an_error_that_is_logged_and_never_kept() {
    for shop in Shop::of_each(PRODUCTS).await {
        shop.declare(
            r#"
[resource.dear]
path = "/dear/{price}"
parameters = { price = "integer" }
database = "shop"
query = "SELECT name FROM products WHERE price >= :price"
"#,
        );
        let aside = shop.serve(&[]).await;
        assert_eq!(aside.get("/dear/500").await.json(), json!({ "name": "Kaffee" }));
        for _ in 0..2 {
            let refused = aside.get("/dear/400").await;
            assert_eq!((refused.status, refused.x_cache()), (500, "MISS"));
        }
        assert!(
            aside.log().contains("resource dear: its query finds more than one row"),
            "{}",
            aside.log()
        );
    }
}

#[tokio::test]
async fn an_old_entry_stands_in_when_the_query_fails() {
    let shop = Shop::in_file(PRODUCTS).await;
    shop.declare(&PRODUCT.replace("60s", "1s"));
    let aside = shop.serve(&["--stale-while-revalidate", "0s"]).await;
    let body = aside.get("/products/A-1").await.body;
    shop.execute("ALTER TABLE products RENAME TO goods").await;
    let stale = eventually("the entry has lapsed", async || {
        let answer = aside.get("/products/A-1").await;
        (answer.x_cache() == "STALE").then_some(answer)
    })
    .await;
    assert_eq!((stale.status, stale.body), (200, body));
    assert_eq!(aside.get("/products/B-1").await.status, 500);
}
