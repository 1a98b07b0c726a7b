//! What the columns of either database come out as, and keys of all types.

use serde_json::{Value, json};

use crate::shop::Shop;

const FILE: &str = "CREATE TABLE things (shop INTEGER, code TEXT, note TEXT, big BIGINT, price DECIMAL(30, 2), ratio REAL,
        sold BOOLEAN, at TIMESTAMP, extra JSON, raw BLOB, PRIMARY KEY (shop, code));
    INSERT INTO things VALUES (1, 'Tür 1', NULL, 9007199254740993, 12.50, 0.1, TRUE, '2024-03-05 10:20:30', '{\"a\": [1, null]}', x'00ff'),
        (-9223372036854775808, '\"\\/''', 'a\tb', -9223372036854775808, 1e15, 1e300, FALSE, NULL, NULL, NULL);
    CREATE TABLE letters (id TEXT PRIMARY KEY, body TEXT);
    INSERT INTO letters VALUES ('123e4567-e89b-12d3-a456-426614174000', 'hello');";

const SERVER: &str = "CREATE TABLE things (shop BIGINT, code VARCHAR(40), note TEXT, big BIGINT, price NUMERIC(30, 2), ratio DOUBLE PRECISION,
        sold BOOLEAN, at TIMESTAMP, extra JSONB, raw BYTEA, PRIMARY KEY (shop, code));
    INSERT INTO things VALUES (1, 'Tür 1', NULL, 9007199254740993, 12.50, 0.1, TRUE, '2024-03-05 10:20:30', '{\"a\": [1, null]}', '\\x00ff'),
        (-9223372036854775808, '\"\\/''', E'a\\tb', -9223372036854775808, 1e15, 1e300, FALSE, NULL, NULL, NULL);
    CREATE TABLE letters (id UUID PRIMARY KEY, body TEXT);
    INSERT INTO letters VALUES ('123e4567-e89b-12d3-a456-426614174000', 'hello');";

const RESOURCES: &str = r#"
[resource.thing]
path = "/things/{shop}/{code}"
parameters = { shop = "integer" }
database = "shop"
query = "SELECT * FROM things WHERE shop = :shop AND code = :code"
changed_by = [{ table = "things", columns = { shop = "shop", code = "code" } }]

[resource.letter]
path = "/letters/{id}"
parameters = { id = "uuid" }
database = "shop"
query = "SELECT body FROM letters WHERE id = :id"
changed_by = [{ table = "letters", columns = { id = "id" } }]
"#;

/// The texts of both rows.
async fn rows(shop: &Shop) -> [String; 2] {
    shop.declare(RESOURCES);
    let aside = shop.serve(&[]).await;
    let mut rows = Vec::new();
    for path in ["/things/1/T%C3%BCr%201", "/things/-9223372036854775808/%22%5C%2F'"] {
        let found = aside.get(path).await;
        assert_eq!(found.status, 200, "{path}: {}", aside.log());
        rows.push(String::from_utf8(found.body.to_vec()).unwrap());
    }
    let letter = "/letters/123e4567-e89b-12d3-a456-426614174000";
    assert_eq!(aside.get(letter).await.json(), json!({ "body": "hello" }));
    assert_eq!(aside.get(&letter.to_uppercase().replace("LETTERS", "letters")).await.status, 400);
    rows.try_into().unwrap()
}

#[tokio::test]
async fn sqlite_makes_json_of_each_type() {
    let [first, second] = rows(&Shop::in_file(FILE).await).await;
    assert_eq!(
        first,
        r#"{"shop":1,"code":"Tür 1","note":null,"big":9007199254740993,"price":12.5,"ratio":0.1,"sold":1,"at":"2024-03-05 10:20:30","extra":{"a":[1,null]},"raw":"\\x00ff"}"#
    );
    let second: Value = serde_json::from_str(&second).unwrap();
    let found =
        [&second["shop"], &second["code"], &second["note"], &second["price"], &second["raw"]];
    assert_eq!(
        found,
        [
            &json!(i64::MIN),
            &json!("\"\\/'"),
            &json!("a\tb"),
            &json!(1_000_000_000_000_000_i64),
            &Value::Null
        ]
    );
}

#[tokio::test]
async fn postgresql_makes_json_of_each_type() {
    let [first, second] = rows(&Shop::on_server(SERVER).await).await;
    assert_eq!(
        first,
        r#"{"shop":1,"code":"Tür 1","note":null,"big":9007199254740993,"price":12.50,"ratio":0.1,"sold":true,"at":"2024-03-05T10:20:30","extra":{"a": [1, null]},"raw":"\\x00ff"}"#
    );
    let second: Value = serde_json::from_str(&second).unwrap();
    let found =
        [&second["shop"], &second["code"], &second["note"], &second["sold"], &second["raw"]];
    assert_eq!(
        found,
        [&json!(i64::MIN), &json!("\"\\/'"), &json!("a\tb"), &json!(false), &Value::Null]
    );
}

#[tokio::test]
async fn what_functions_make_is_json_where_the_file_says_so() {
    let shop = Shop::in_file(FILE).await;
    let query = "SELECT json_group_array(code) AS codes FROM things WHERE shop = 1";
    for (json, codes) in [("", json!(r#"["Tür 1"]"#)), ("json = [\"codes\"]", json!(["Tür 1"]))] {
        let of_query = format!("database = \"shop\"\nquery = \"{query}\"\n{json}\n");
        shop.declare(&format!("[resource.codes]\npath = \"/codes\"\n{of_query}"));
        let aside = shop.serve(&[]).await;
        assert_eq!(aside.get("/codes").await.json()["codes"], codes);
    }
}

#[tokio::test]
async fn keys_of_all_types_are_noted() {
    for shop in [Shop::in_file(FILE).await, Shop::on_server(SERVER).await] {
        shop.declare(RESOURCES);
        shop.install().await;
        let aside = shop.serve(&[]).await;
        let paths = [
            "/things/1/T%C3%BCr%201",
            "/things/-9223372036854775808/%22%5C%2F'",
            "/letters/123e4567-e89b-12d3-a456-426614174000",
        ];
        for path in paths {
            aside.get(path).await;
        }
        shop.execute("UPDATE things SET note = 'new'; UPDATE letters SET body = 'new'").await;
        for path in paths {
            support::eventually("the new value", async || {
                let found = aside.get(path).await.json();
                (found["note"] == "new" || found["body"] == "new").then_some(())
            })
            .await;
        }
        // One that is given another key, and one that is gone.
        assert_eq!(aside.get("/things/1/x").await.status, 404);
        shop.execute("UPDATE things SET code = 'x' WHERE shop = 1; DELETE FROM letters").await;
        for (path, status) in [("/things/1/x", 200), (paths[0], 404), (paths[2], 404)] {
            support::eventually("the new status", async || {
                (aside.get(path).await.status == status).then_some(())
            })
            .await;
        }
    }
}
