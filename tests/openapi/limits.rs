//! The limits that the document tells are those that the program has.

use reqwest::Method;
use serde_json::json;
use support::aside::Aside;

use crate::document::Document;

#[tokio::test]
async fn the_documented_limits_of_a_body_are_the_limits() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let document = Document::of(&aside).await;
    let limit = |schema: &str, limit: &str| {
        let limit = document.json.pointer(&format!("/components/schemas/{schema}/{limit}"));
        usize::try_from(limit.unwrap().as_u64().unwrap()).unwrap()
    };
    let rename = async |name: String, status| {
        let answer = aside.send_json(Method::PATCH, "/users/1", &json!({ "name": name })).await;
        assert_eq!(document.check("change_user", &answer).status, status);
    };
    let characters = limit("ProfileChange", "properties/name/maxLength");
    rename("x".repeat(characters), 200).await;
    rename("x".repeat(characters + 1), 422).await;
    assert_eq!(limit("Profile", "properties/name/maxLength"), characters);
    assert_eq!(limit("Login", "properties/username/maxLength"), characters);

    let warm_up = async |ids, status| {
        let ids = json!({ "ids": vec![1; ids] });
        let answer = aside.send_json(Method::POST, "/jobs/warm-ups", &ids).await;
        assert_eq!(document.check("warm_up", &answer).status, status);
    };
    let ids = limit("WarmUps", "properties/ids/maxItems");
    warm_up(ids, 202).await;
    warm_up(ids + 1, 422).await;
    assert_eq!(limit("WarmUps", "then/properties/ids/items/minimum"), 1);

    let change = async |email: String, status| {
        let answer = aside.send_json(Method::PATCH, "/users/1", &json!({ "email": email })).await;
        assert_eq!(document.check("change_user", &answer).status, status);
    };
    let bytes = limit("ProfileChange", "properties/email/maxLength");
    assert_eq!(limit("Profile", "properties/email/maxLength"), bytes);
    let local = "a".repeat(60);
    let domain = format!("{0}.{0}.{0}.example", "x".repeat(61));
    assert_eq!(local.len() + 1 + domain.len(), bytes);
    change(format!("{local}@{domain}"), 200).await;
    change(format!("a{local}@{domain}"), 422).await;
}

#[tokio::test]
async fn what_the_document_says_of_a_field_is_what_the_service_takes() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let document = Document::of(&aside).await;
    let label = "x".repeat(63);
    let emails = [
        "ada@example.com",
        "a.b+c@sub.example.co",
        "o'hara!#$%&*/=?^_`{|}~-@example.com",
        "x@a-b.de",
        "x@a_b.de",
        "x@1.2b",
        "x@b.1-1",
        &format!("x@{label}.{label}"),
        &format!("{}@b.de", "x".repeat(64)),
        &format!("{}@b.de", "x".repeat(65)),
        &format!("x@{label}x.example"),
        &format!("x@{label}.{label}.{label}.{label}"),
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@example",
        "a b@example.com",
        "a@b@c.de",
        "a@-b.de",
        "a@b-.de",
        "a@_b.de",
        "a@b..de",
        "a@b.de.",
        "a@b.de\n",
        "ü@b.de",
        "a@ü.de",
        ".x@example.com",
        "x.@example.com",
        "x..y@example.com",
        "\"x\"@example.com",
        "Ada <ada@example.com>",
        "ada@127.0.0.1",
        "ada@[127.0.0.1]",
    ];
    let names = [
        "Ada",
        "Grace Brewster Murray Hopper",
        "李",
        "नेहा",
        "👩\u{200d}🚀",
        "",
        " ",
        " Ada",
        "Ada\u{3000}",
        "\u{a0}Ada",
        "A\u{a0}da",
        "\u{feff}Ada",
        "A\nda",
        "Ada\n",
        "A\u{1b}[31m",
        "A\u{85}da",
        "Ada\u{202e}",
        "A\u{2066}da",
        "A\u{61c}da",
    ];
    let change = emails.iter().map(|email| json!({ "email": email }));
    let change = change.chain(names.iter().map(|name| json!({ "name": name })));
    let no_text = [json!(null), json!(1), json!([]), json!({})];
    let change = change.chain(no_text.iter().map(|value| json!({ "name": value })));
    let mut taken = 0;
    for change in change.chain([json!({}), json!({ "x": 1 }), json!([]), json!(["Ada"])]) {
        let answer = aside.send_json(Method::PATCH, "/users/1", &change).await;
        let is_taken = document.check("change_user", &answer).status == 200;
        assert_eq!(document.takes("ProfileChange", &change), is_taken, "{change}");
        taken += u32::from(is_taken);
        let profile = json!({ "name": "Ada", "email": "a@example.com" });
        if let (Some(change), Some(profile)) = (change.as_object(), profile.as_object()) {
            let whole: serde_json::Map<_, _> =
                profile.clone().into_iter().chain(change.clone()).collect();
            assert_eq!(document.takes("Profile", &whole.into()), is_taken, "{change:?}");
        }
    }
    assert_eq!(taken, 9 + 7 + 1);
    for id in ["0", "-1", "1", "9223372036854775807", "9223372036854775808", "\"1\"", "1.5"] {
        let ids: serde_json::Value = serde_json::from_str(&format!("{{\"ids\":[{id}]}}")).unwrap();
        let answer = aside.send_json(Method::POST, "/jobs/warm-ups", &ids).await;
        let is_taken = document.check("warm_up", &answer).status == 202;
        assert_eq!(document.takes("WarmUps", &ids), is_taken, "{ids}");
        let login = json!({ "user_id": ids["ids"][0], "username": "Ada" });
        let answer = aside.send_json(Method::POST, "/sessions", &login).await;
        let is_taken = document.check("create_session", &answer).status != 422;
        assert_eq!(document.takes("Login", &login), is_taken, "{login}");
    }
}

#[tokio::test]
async fn what_the_document_says_of_a_condition_is_what_the_service_reads() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let document = Document::of(&aside).await;
    for (name, field) in [("IfMatch", "if-match"), ("IfNoneMatchOfWrite", "if-none-match")] {
        let schema = document.resolve(&format!("#/components/parameters/{name}/schema")).unwrap();
        for value in [
            "",
            ",",
            " , ,",
            "*",
            "*,",
            ", *",
            "\"a\"",
            "\"\"",
            "W/\"a\"",
            "\"a\",,\"b\"",
            "\"a\" ,\t\"b\",",
            "\"a,b\"",
            "a",
            "\"",
            "\"a",
            "a\"",
            "**",
            "*, \"a\"",
            "\"a\", *",
            "\"a\" \"b\"",
            "\"a\";",
            "w/\"a\"",
            "\"a b\"",
            "\"a\"\"b\"",
        ] {
            let deleted = aside.send(Method::DELETE, "/users/99999", &[(field, value)]).await;
            let is_read = document.check("delete_user", &deleted).status != 400;
            assert_eq!(jsonschema::is_valid(schema, &value.into()), is_read, "{field}: {value}");
        }
    }
}
