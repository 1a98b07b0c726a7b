//! One slow or broken resource is nobody else's affair.

use support::eventually;

use crate::shop::{PRODUCTS, Shop};

#[tokio::test]
async fn a_resource_that_hangs_holds_no_other_up() {
    let shop = Shop::on_server(PRODUCTS).await;
    shop.declare(
        r#"
[resource.slow]
path = "/slow/{n}"
parameters = { n = "integer" }
database = "shop"
query = "SELECT :n AS n, pg_sleep(60)::text AS slept"
timeout = "60s"
max_loads = 3
max_waiting = 0

[resource.quick]
path = "/quick/{n}"
parameters = { n = "integer" }
database = "shop"
query = "SELECT :n AS n"
max_loads = 1
"#,
    );
    let aside = shop.serve(&["--shutdown-grace", "0s"]).await;
    for n in 0..3 {
        let (client, url) = (aside.client.clone(), format!("http://{}/slow/{n}", aside.address));
        tokio::spawn(async move { client.get(url).send().await });
    }
    eventually("all its loads run", async || {
        aside.metrics().await.contains(r#"aside_loads_running{source="slow"} 3"#).then_some(())
    })
    .await;
    let refused = aside.get("/slow/9").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    for n in 0..20 {
        assert_eq!(aside.get(&format!("/quick/{n}")).await.status, 200);
    }
    assert_eq!(aside.get("/users/1").await.status, 200);
}

#[tokio::test]
async fn a_query_past_its_time_ends_in_the_database() {
    let slow = [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n",
        "SELECT pg_sleep(60)::text AS slept",
    ];
    for (shop, query) in Shop::of_each(PRODUCTS).await.into_iter().zip(slow) {
        shop.declare(&format!("[resource.slow]\npath = \"/slow\"\ndatabase = \"shop\"\nquery = \"{query}\"\ntimeout = \"300ms\"\nmax_loads = 1\n"));
        let aside = shop.serve(&[]).await;
        for _ in 0..3 {
            // Each has the one connection again.
            assert_eq!(aside.get("/slow").await.status, 504);
        }
        if shop.is_postgres() {
            let busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
            eventually("it has ended", async || (shop.number(busy).await == 0).then_some(())).await;
        }
    }
}
