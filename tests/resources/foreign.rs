//! Writers who know nothing of a cache: what they commit is seen by all readers, soon, and never undone by a load under way.

use std::{fs, time::Duration};

use serde_json::json;
use support::{aside::Aside, eventually, memcached::Memcached};
use tokio::time::{Instant, sleep};

use crate::shop::{PRODUCT, PRODUCTS, Shop};

/// What is left of what triggers have noted.
const LEFT: &str = "SELECT count(*) FROM aside_outdated";

/// A service with the triggers of its resources.
async fn served(shop: &Shop, arguments: &[&str]) -> Aside {
    shop.declare(PRODUCT);
    shop.install().await;
    shop.serve(arguments).await
}

async fn price(aside: &Aside, sku: &str) -> i64 {
    aside.get(&format!("/products/{sku}")).await.json()["price"].as_i64().unwrap()
}

#[tokio::test]
async fn what_somebody_else_commits_is_seen_by_every_replica_soon() {
    let memcached = Memcached::start().await;
    let servers = memcached.address().to_string();
    for shop in Shop::of_each(PRODUCTS).await {
        memcached.ask("flush_all\r\n", "OK\r\n").await.unwrap();
        let replicas = [
            served(&shop, &["--memcached", &servers]).await,
            shop.serve(&["--memcached", &servers]).await,
        ];
        let mut late = Vec::new();
        for round in 1..=30 {
            // What is left of the round before may still be forgotten.
            eventually("a hit", async || {
                price(&replicas[1], "A-1").await;
                (replicas[0].get("/products/A-1").await.x_cache() == "HIT").then_some(())
            })
            .await;
            shop.execute(&format!("UPDATE products SET price = {round} WHERE sku = 'A-1'")).await;
            let committed_at = Instant::now();
            for replica in &replicas {
                eventually("the new price", async || {
                    (price(replica, "A-1").await == round).then_some(())
                })
                .await;
            }
            late.push(committed_at.elapsed());
        }
        late.sort();
        println!("{}: median {:?}, most {:?}", shop.url, late[15], late[29]);
        eventually("all is taken care of", async || (shop.number(LEFT).await == 0).then_some(()))
            .await;
    }
}

#[tokio::test]
async fn inserts_deletes_and_new_keys_are_noted_and_rolled_back_ones_are_not() {
    for shop in Shop::of_each(PRODUCTS).await {
        let aside = served(&shop, &["--negative-ttl", "1h"]).await;
        let status = async |sku: &str| aside.get(&format!("/products/{sku}")).await.status;
        assert_eq!(
            (status("C-1").await, status("D-1").await, status("A-1").await),
            (404, 404, 200)
        );
        shop.execute("INSERT INTO products VALUES ('C-1', 'new', 1)").await;
        eventually("the insert", async || (status("C-1").await == 200).then_some(())).await;
        shop.execute("UPDATE products SET sku = 'D-1' WHERE sku = 'C-1'").await;
        eventually("the new key", async || (status("D-1").await == 200).then_some(())).await;
        eventually("the old key", async || (status("C-1").await == 404).then_some(())).await;
        shop.execute("DELETE FROM products WHERE sku = 'D-1'").await;
        eventually("the deletion", async || (status("D-1").await == 404).then_some(())).await;
        eventually("all is taken care of", async || (shop.number(LEFT).await == 0).then_some(()))
            .await;
        shop.execute("BEGIN; UPDATE products SET price = 1; ROLLBACK").await;
        assert_eq!(shop.number(LEFT).await, 0);
        if shop.is_postgres() {
            shop.execute("TRUNCATE products").await;
            eventually("the end of all", async || (status("A-1").await == 404).then_some(())).await;
        }
    }
}

#[tokio::test]
async fn what_was_noted_while_nobody_listened_is_delivered_before_the_service_is_ready() {
    let memcached = Memcached::start().await;
    let servers = memcached.address().to_string();
    for shop in Shop::of_each(PRODUCTS).await {
        let mut aside = served(&shop, &["--memcached", &servers]).await;
        assert_eq!(price(&aside, "B-1").await, 700);
        aside.terminate().await;
        shop.execute("UPDATE products SET price = 800 WHERE sku = 'B-1'").await;
        assert_eq!(shop.number(LEFT).await, 1);
        let aside = shop.serve(&["--memcached", &servers]).await;
        // By its first answer.
        assert_eq!(price(&aside, "B-1").await, 800);
        assert_eq!(shop.number(LEFT).await, 0);
        memcached.ask("flush_all\r\n", "OK\r\n").await.unwrap();
    }
}

#[tokio::test]
async fn a_load_that_began_before_a_change_never_puts_the_old_value_back() {
    let memcached = Memcached::start().await;
    let servers = memcached.address().to_string();
    for shop in Shop::of_each(PRODUCTS).await {
        memcached.ask("flush_all\r\n", "OK\r\n").await.unwrap();
        // Each load sees the price at its beginning, and takes its time.
        let slow = if shop.is_postgres() {
            "WITH slow AS MATERIALIZED (SELECT price FROM products WHERE sku = :sku) SELECT price FROM slow, pg_sleep(0.7)"
        } else {
            "WITH RECURSIVE found AS MATERIALIZED (SELECT price FROM products WHERE sku = :sku),
                n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
             SELECT price, (SELECT count(*) FROM n) AS n FROM found"
        };
        let file = PRODUCT.replace(
            "\"SELECT sku, name, price FROM products WHERE sku = :sku\"",
            &format!("'''{slow}'''"),
        );
        shop.declare(&file);
        shop.install().await;
        let aside = shop.serve(&["--memcached", &servers, "--query-timeout", "60s"]).await;
        for round in 1..=3 {
            let load = {
                let (client, url) =
                    (aside.client.clone(), format!("http://{}/products/A-1", aside.address));
                tokio::spawn(async move {
                    client.get(url).header("cache-control", "no-cache").send().await.unwrap()
                })
            };
            eventually("the load runs", async || {
                aside
                    .metrics()
                    .await
                    .contains(r#"aside_loads_running{source="product"} 1"#)
                    .then_some(())
            })
            .await;
            sleep(Duration::from_millis(20)).await;
            shop.execute(&format!("UPDATE products SET price = {round} WHERE sku = 'A-1'")).await;
            eventually("it is noted and taken care of", async || {
                (shop.number(LEFT).await == 0).then_some(())
            })
            .await;
            load.await.unwrap();
            assert_eq!(price(&aside, "A-1").await, round);
        }
    }
}

#[tokio::test]
async fn while_memcached_is_away_what_stands_in_hears_of_it_too() {
    for shop in Shop::of_each(PRODUCTS).await {
        // Nothing listens there.
        let servers = ["--memcached", "127.0.0.1:1", "--memcached-timeout", "50ms"];
        let replicas = [served(&shop, &servers).await, shop.serve(&servers).await];
        // An entry lives there for five seconds, and then the new price would be seen without having been heard of. Where
        // another entry, no younger, is still there, it was heard of.
        let is_kept = async |replica: &Aside, sku: &str| {
            let kept = replica.get(&format!("/products/{sku}")).await;
            let detail = kept.cache_status().get("detail").cloned();
            kept.x_cache() == "HIT" && detail.as_deref() == Some("fallback")
        };
        let (mut heard, mut round) = (0, 0);
        while heard < 3 {
            round += 1;
            assert!(round < 20, "they hear of nothing");
            for replica in &replicas {
                // What is left of the round before may still be forgotten.
                eventually("both are kept", async || {
                    let kept = (is_kept(replica, "B-1").await, is_kept(replica, "A-1").await);
                    (kept == (true, true)).then_some(())
                })
                .await;
            }
            shop.execute(&format!("UPDATE products SET price = {round} WHERE sku = 'A-1'")).await;
            let mut is_heard = true;
            for replica in &replicas {
                eventually("the new price", async || {
                    (price(replica, "A-1").await == round).then_some(())
                })
                .await;
                is_heard &= is_kept(replica, "B-1").await;
            }
            heard += u32::from(is_heard);
        }
    }
}

#[tokio::test]
async fn what_a_process_has_taken_and_died_with_another_takes() {
    for shop in Shop::of_each(PRODUCTS).await {
        let aside = served(&shop, &[]).await;
        assert_eq!(price(&aside, "A-1").await, 450);
        // As one leaves it that was killed between taking it and taking care of it.
        let taken = if shop.is_postgres() {
            "clock_timestamp()"
        } else {
            "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
        };
        shop.execute(&format!(
            "UPDATE products SET price = 1 WHERE sku = 'A-1'; UPDATE aside_outdated SET taken = {taken}"
        ))
        .await;
        eventually("the new price", async || (price(&aside, "A-1").await == 1).then_some(())).await;
        eventually("it is taken again", async || (shop.number(LEFT).await == 0).then_some(()))
            .await;
    }
}

#[tokio::test]
async fn triggers_may_come_later_and_go() {
    for shop in Shop::of_each(PRODUCTS).await {
        shop.declare(PRODUCT);
        let aside = shop.serve(&[]).await;
        assert!(aside.log().contains("run `aside triggers --install`"), "{}", aside.log());
        assert_eq!(price(&aside, "A-1").await, 450);
        shop.install().await;
        shop.execute("UPDATE products SET price = 1 WHERE sku = 'A-1'").await;
        eventually("the new price", async || (price(&aside, "A-1").await == 1).then_some(())).await;
        let (status, ..) = shop.run(&["triggers", "--remove"]).await;
        assert_eq!(status, Some(0));
        shop.execute("UPDATE products SET price = 2 WHERE sku = 'A-1'").await;
        let health = aside.get("/readyz").await.json();
        assert_eq!(health["ready"], json!(true));
    }
}

#[tokio::test]
async fn a_file_that_is_not_where_it_was_is_not_read_any_more() {
    let shop = Shop::in_file(PRODUCTS).await;
    let aside = served(&shop, &[]).await;
    assert_eq!(price(&aside, "A-1").await, 450);
    let (file, other) = (shop.place.file("shop.db"), shop.place.file("other.db"));
    fs::rename(&file, &other).unwrap();
    assert_eq!(aside.get("/products/B-1").await.status, 503, "it is gone");
    fs::copy(&other, &file).unwrap();
    shop.execute("UPDATE products SET price = 1 WHERE sku = 'B-1'").await;
    assert_eq!(aside.get("/products/B-1").await.status, 503, "another has taken its name");
    eventually("its notes are missed", async || {
        aside.log().contains("what its triggers note can't be read").then_some(())
    })
    .await;
    assert!(aside.log().contains("its file is gone, or another has taken its name"));
    fs::rename(&other, &file).unwrap();
    assert_eq!(price(&aside, "B-1").await, 700);
    shop.execute("UPDATE products SET price = 2 WHERE sku = 'B-1'").await;
    eventually("the new price", async || (price(&aside, "B-1").await == 2).then_some(())).await;
}
