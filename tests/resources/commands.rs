//! `aside init`, `aside check` and `aside triggers`, and what they and a service need of a database.

use std::fs;

use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
use support::{
    aside::{Aside, command},
    eventually,
};

use crate::shop::{PRODUCT, PRODUCTS, Shop};

fn command_of(shop: &Shop, arguments: &[&str]) -> tokio::process::Command {
    command(&shop.place, arguments)
}

const ODD: &str = "CREATE TABLE \"Order Lines\" (\"Shop Nr\" integer, \"line\" varchar(20), \"Qty\" integer, PRIMARY KEY (\"line\", \"Shop Nr\"));
    INSERT INTO \"Order Lines\" VALUES (7, 'a b', 3);
    CREATE TABLE users (id integer PRIMARY KEY, name text);
    INSERT INTO users VALUES (1, 'Ada');
    CREATE TABLE keyless (a integer);";

#[tokio::test]
async fn a_table_is_served_by_what_init_prints() {
    for shop in Shop::of_each(ODD).await {
        for (table, path, body) in [
            ("Order Lines", "/order_lines/a%20b/7", r#"{"Shop Nr":7,"line":"a b","Qty":3}"#),
            ("users", "/shop_users/1", r#"{"id":1,"name":"Ada"}"#),
        ] {
            let (status, printed, _) = shop.run(&["init", &shop.url, table]).await;
            assert_eq!(status, Some(0));
            // The name of a test's database on a server is not that of the file.
            let printed = printed.replace("/test_", "/shop_test_");
            let (name, _) = printed.strip_prefix("[database.").unwrap().split_once(']').unwrap();
            let path = path.replace("shop_users", &format!("{name}_users"));
            let (printed, path) = (printed.replace("/shop_test_", "/test_"), path);
            fs::write(shop.place.file("aside.toml"), &printed).unwrap();
            let (status, ..) = shop.run(&["triggers", "--install"]).await;
            assert_eq!(status, Some(0), "{printed}");
            let aside = shop.serve(&[]).await;
            let found = aside.get(&path).await;
            assert_eq!(
                (found.status, str::from_utf8(&found.body).unwrap()),
                (200, body),
                "{printed}"
            );
            shop.execute("UPDATE \"Order Lines\" SET \"Qty\" = 4; UPDATE users SET name = 'Bo'")
                .await;
            eventually("the new value", async || {
                (aside.get(&path).await.body != found.body).then_some(())
            })
            .await;
            shop.execute("UPDATE \"Order Lines\" SET \"Qty\" = 3; UPDATE users SET name = 'Ada'")
                .await;
        }
        for (table, why) in
            [("none", "there is no table \"none\""), ("keyless", "has no primary key")]
        {
            let (status, _, complaint) = shop.run(&["init", &shop.url, table]).await;
            assert!(status == Some(1) && complaint.contains(why), "{complaint}");
        }
    }
    let shop = Shop::in_file(ODD).await;
    let (status, _, complaint) =
        shop.run(&["init", "postgres://u:s3cret@127.0.0.1:1/d", "t"]).await;
    assert!(status == Some(2) && !complaint.contains("s3cret"), "{complaint}");
    assert!(
        complaint.contains("postgres://127.0.0.1:1/d") && complaint.contains("refused"),
        "{complaint}"
    );
}

#[tokio::test]
async fn check_shows_a_row_a_resource_and_triggers_come_and_go_as_often_as_one_likes() {
    for shop in Shop::of_each(PRODUCTS).await {
        shop.declare(&format!("{PRODUCT}[resource.weather]\npath = \"/weather/{{city}}\"\norigin = \"http://127.0.0.1:1/{{city}}\"\nttl = \"5m\"\n"));
        let check = async || {
            let (status, said, _) = shop.run(&["check"]).await;
            assert_eq!(status, Some(0));
            said
        };
        let row = |state: &str| {
            format!(
                "product  /products/{{sku}}  application/json  ttl 1m  changed_by {state}\n\
                 weather  /weather/{{city}}  application/json  ttl 5m  changed_by -\n"
            )
        };
        assert_eq!(check().await, row("triggers to be installed"));
        let (_, printed, _) = shop.run(&["triggers"]).await;
        for _ in 0..2 {
            shop.install().await;
            assert_eq!(check().await, row("triggers installed"));
        }
        for _ in 0..2 {
            let (status, ..) = shop.run(&["triggers", "--remove"]).await;
            assert_eq!(status, Some(0));
            assert_eq!(check().await, row("triggers to be installed"));
        }
        // What is printed does the same, by another program.
        shop.execute(&printed).await;
        assert_eq!(check().await, row("triggers installed"));
        // A table of another name is another trigger.
        shop.execute("CREATE TABLE goods (sku text PRIMARY KEY)").await;
        shop.declare(&PRODUCT.replace("\"products\"", "\"goods\""));
        assert!(check().await.ends_with("to be installed\n"));
        shop.install().await;
        assert!(check().await.ends_with("installed\n"));
        let left = if shop.is_postgres() {
            "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'aside%'"
        } else {
            "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"
        };
        assert_eq!(shop.number(left).await, if shop.is_postgres() { 4 } else { 3 });
    }
    let empty = Shop::in_file("").await;
    for why in ["is not here", "declares none"] {
        let (status, _, complaint) = empty.run(&["check"]).await;
        let expected = format!("error: no resources are declared: aside.toml {why}\n");
        assert_eq!((status, complaint), (Some(1), expected));
        empty.declare("");
    }
}

#[tokio::test]
async fn a_role_that_only_reads_is_enough_for_all_but_what_triggers_note() {
    let shop = Shop::on_server(PRODUCTS).await;
    // Nothing is found by its name alone.
    let product = PRODUCT.replace("FROM products", "FROM public.products");
    let product = product.replace("\"products\"", "\"public.products\"");
    shop.declare(&product);
    shop.install().await;
    let role = format!("reader_{}", fastrand::u32(..));
    // What docs/resources.md says.
    shop.execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 's3cret'; GRANT SELECT ON products TO {role};
         GRANT SELECT, UPDATE, DELETE ON aside_outdated TO {role};
         GRANT SELECT, UPDATE ON aside_listening TO {role}; ALTER ROLE {role} SET search_path = '';
         CREATE ROLE {role}_app LOGIN; GRANT SELECT, UPDATE ON products TO {role}_app"
    ))
    .await;
    let url = shop.url.replace("postgres@", &format!("{role}:s3cret@"));
    fs::write(
        shop.place.file("aside.toml"),
        format!("[database.shop]\nurl_from = \"SHOP_DATABASE\"\n{product}"),
    )
    .unwrap();
    let mut command = command_of(&shop, &[]);
    command.env("SHOP_DATABASE", &url).env("RUST_LOG", "debug");
    let aside = Aside::run(&shop.place, command).await;
    assert_eq!(aside.get("/products/A-1").await.json()["price"], 450);
    // Whoever writes needs no right to anything of Aside's.
    let app = shop.url.replace("postgres@", &format!("{role}_app@"));
    let mut writer = PgConnection::connect(&app).await.unwrap();
    let write = AssertSqlSafe("UPDATE products SET price = 1 WHERE sku = 'A-1'");
    raw_sql(write).execute(&mut writer).await.unwrap();
    writer.close().await.unwrap();
    eventually("the new price", async || {
        (aside.get("/products/A-1").await.json()["price"] == 1).then_some(())
    })
    .await;
    assert!(!aside.log().contains("s3cret"), "{}", aside.log());
    // A right less is told of.
    shop.execute(&format!("REVOKE DELETE ON aside_outdated FROM {role}")).await;
    let checked = command_of(&shop, &["check"]).env("SHOP_DATABASE", &url).output().await.unwrap();
    let complaint = String::from_utf8(checked.stderr).unwrap();
    assert_eq!(complaint, "error: shop: this role lacks the right to DELETE aside_outdated\n");
    shop.execute(&format!("REVOKE SELECT ON products FROM {role}")).await;
    let checked = command_of(&shop, &["check"]).env("SHOP_DATABASE", &url).output().await.unwrap();
    let complaint = String::from_utf8(checked.stderr).unwrap();
    assert!(complaint.ends_with(": query: permission denied for table products\n"), "{complaint}");
    drop(aside);
    shop.execute(&format!("DROP OWNED BY {role}, {role}_app; DROP ROLE {role}, {role}_app")).await;
}

#[tokio::test]
async fn nothing_is_written_by_a_query() {
    let shop = Shop::on_server("CREATE TABLE t (a integer); CREATE FUNCTION add() RETURNS integer LANGUAGE sql VOLATILE AS 'INSERT INTO t VALUES (1) RETURNING a'").await;
    shop.declare(
        "[resource.add]\npath = \"/add\"\ndatabase = \"shop\"\nquery = \"SELECT add() AS a\"\n",
    );
    let aside = shop.serve(&[]).await;
    assert_eq!(aside.get("/add").await.status, 503);
    assert!(aside.log().contains("read-only transaction"), "{}", aside.log());
    assert_eq!(shop.number("SELECT count(*) FROM t").await, 0);
}

/// Anybody may have a schema, and a table of that name in it; what else is there must not stand for what a query means.
#[tokio::test]
async fn a_schema_of_somebody_elses_is_searched_only_for_a_role_that_finds_nothing_by_itself() {
    const WAY: &str = r#"
[resource.way]
path = "/way"
database = "shop"
query = "SELECT current_setting('search_path') AS way"
"#;
    let theirs = "CREATE SCHEMA theirs; CREATE TABLE theirs.aside_outdated (id bigint)";
    let own = "CREATE TABLE aside_outdated (id bigint)";
    let others = "CREATE SCHEMA others; CREATE TABLE others.aside_outdated (id bigint)";
    let before = r#""$user", public"#;
    for (schema, searched) in [
        (theirs.to_owned(), format!("{before}, theirs")),
        (own.to_owned(), before.to_owned()),
        (format!("{theirs}; {own}"), before.to_owned()),
        (format!("{theirs}; {others}"), before.to_owned()),
    ] {
        let shop = Shop::on_server(&schema).await;
        shop.declare(WAY);
        let aside = shop.serve(&["--memcached", "none"]).await;
        assert_eq!(aside.get("/way").await.json()["way"], searched, "{schema}");
    }
}
