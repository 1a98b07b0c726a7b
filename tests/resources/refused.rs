//! Every wrong file is refused, with the line, what was read and what it takes: by the service and by `aside check`.

use std::fs;

use support::aside::command;

use crate::shop::{PRODUCTS, Shop};

/// What follows the path and the query of a resource at lines 3 to 6, and the complaint about it.
const OF_A_QUERY: [(&str, &str); 26] = [
    (
        "pth = 1",
        "7: unknown field `pth`, expected one of `path`, `parameters`, `database`, `query`, `rows`, `json`, `changed_by`, `origin`, `headers`, `content_type`, `ttl`, `stale_while_revalidate`, `stale_if_error`, `negative_ttl`, `timeout`, `max_loads`, `max_waiting`, `token`, in \"pth = 1\"",
    ),
    ("ttl = 5", "7: invalid type: integer `5`, expected a string, in \"ttl = 5\""),
    ("ttl = \"5x\"", "7: ttl = \"5x\": it takes whole seconds from 1s to 30d, such as 10s or 5m"),
    (
        "timeout = \"0s\"",
        "7: timeout = \"0s\": it takes a duration from 1ms to 1h, such as 500ms, 10s or 5m",
    ),
    (
        "ttl = \"30d\"",
        "4: the settings do not go together: the TTL and the stale time after it are together longer than 30 days",
    ),
    ("max_loads = 0", "7: max_loads = 0: it takes a whole number from 1 to 256"),
    ("max_waiting = -1", "7: max_waiting = -1: it takes a whole number from 0 to 100000"),
    (
        "token = \"yes\"",
        "7: invalid type: string \"yes\", expected a boolean, in \"token = \\\"yes\\\"\"",
    ),
    ("rows = \"many\"", "7: rows = \"many\": it takes \"one\", as without it, or \"all\""),
    ("json = [\"tags\"]", "6: query: json names tags, and it finds no such column"),
    (
        "origin = \"http://localhost/{sku}\"",
        "7: origin: it takes either query or origin, and both are there",
    ),
    ("headers = { A = \"b\" }", "7: headers and content_type are for a resource with an origin"),
    (
        "parameters = { sku = \"word\" }",
        "7: parameters.sku: type \"word\": it takes integer, text or uuid",
    ),
    (
        "parameters = { sku = { typ = \"text\" } }",
        "7: unknown field `typ`, expected one of `type`, `from`, `default`, `min`, `max`, in \"parameters = { sku = { typ = \\\"text\\\" } }\"",
    ),
    (
        "parameters = { sku = { type = \"text\", min = 1 } }",
        "7: parameters.sku: min and max are for an integer",
    ),
    (
        "parameters = { sku = { type = \"integer\", min = 2, max = 1 } }",
        "7: parameters.sku: min is greater than max",
    ),
    (
        "parameters = { sku = { from = \"query\" } }",
        "7: parameters.sku: from = \"query\": the path has it",
    ),
    (
        "parameters = { sku = { from = \"body\" } }",
        "7: parameters.sku: from takes \"path\" or \"query\"",
    ),
    (
        "parameters = { sku = { default = \"a\" } }",
        "7: parameters.sku: default is for a parameter of the query string",
    ),
    (
        "parameters = { id = \"text\" }",
        "7: parameters.id: the path has no such parameter; one of the query string says from = \"query\"",
    ),
    (
        "parameters.n = { type = \"integer\", from = \"query\", default = \"x\" }",
        "7: parameters.n: default = \"x\": it takes an integer of 64 bits, without leading zeros",
    ),
    (
        "parameters.n = { from = \"query\" }",
        "6: query: it has no :n, and n is a parameter of the resource",
    ),
    (
        "changed_by = [{ table = \"goods\", columns = { sku = \"sku\" } }]",
        "7: changed_by: there is no table \"goods\"",
    ),
    (
        "changed_by = [{ table = \"products\", columns = { sku = \"id\" } }]",
        "7: changed_by: the table \"products\" has no column \"id\"; it has sku, name, price",
    ),
    (
        "changed_by = [{ table = \"products\", columns = { sku = \"price\" } }]",
        "7: changed_by: the column \"price\" takes a parameter of the type integer",
    ),
    (
        "changed_by = [{ table = \"products\" }]",
        "7: changed_by: it takes a column for each parameter, and there is none for sku; without changed_by, entries live by their TTL",
    ),
];

/// Queries, and the complaints about them, of both kinds of databases.
const QUERIES: [(&str, [&str; 2]); 8] = [
    (
        "UPDATE products SET price = 1 WHERE sku = :sku",
        ["it takes one statement that only reads: SELECT, WITH or VALUES"; 2],
    ),
    (
        "SELECT name FROM products WHERE sku = :sku; SELECT 1",
        ["it has two statements, and it takes one"; 2],
    ),
    ("SELECT name FROM products", ["it has no :sku, and sku is a parameter of the resource"; 2]),
    (
        "SELECT name FROM products WHERE sku = :sku OR sku = :other",
        ["it has :other, which is no parameter of the resource"; 2],
    ),
    (
        "SELECT price + 1 FROM products WHERE sku = :sku",
        ["its column 1 has no name: it takes one, as in count(*) AS count"; 2],
    ),
    (
        "SELECT name, sku AS name FROM products WHERE sku = :sku",
        ["it has two columns of the name name"; 2],
    ),
    (
        "SELECT weight FROM products WHERE sku = :sku",
        ["no such column: weight", "column \"weight\" does not exist"],
    ),
    (
        "SELECT FROM WHERE :sku",
        ["near \"FROM\": syntax error", "syntax error at or near \"WHERE\""],
    ),
];

async fn is_refused(shop: &Shop, file: &str, complaint: &str) {
    fs::write(shop.place.file("aside.toml"), file).unwrap();
    let complaint = format!("error: aside.toml:{complaint}\n");
    let (status, said, complained) = shop.run(&["check"]).await;
    assert_eq!((status, &*said, &*complained), (Some(1), "", &*complaint), "{file}");
    let served = command(&shop.place, &[]).output().await.unwrap();
    assert_eq!(served.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&served.stderr).ends_with(&complaint), "{served:?}");
}

#[tokio::test]
async fn what_does_not_belong_there_is_refused() {
    let shop = Shop::in_file(PRODUCTS).await;
    let begin = format!(
        "[database.shop]\nurl = \"{}\"\n[resource.product]\npath = \"/products/{{sku}}\"\ndatabase = \"shop\"\nquery = \"SELECT name FROM products WHERE sku = :sku\"",
        shop.url
    );
    for (line, complaint) in OF_A_QUERY {
        is_refused(&shop, &format!("{begin}\n{line}\n"), complaint).await;
    }
}

#[tokio::test]
async fn a_query_that_can_not_be_served_is_refused_in_the_databases_words() {
    let shops = Shop::of_each(PRODUCTS).await;
    for (query, complaints) in QUERIES {
        for (shop, complaint) in shops.iter().zip(complaints) {
            let url = &shop.url;
            let file = format!(
                "[database.shop]\nurl = \"{url}\"\n[resource.product]\npath = \"/products/{{sku}}\"\nquery = '{query}'\ndatabase = \"shop\"\n"
            );
            is_refused(shop, &file, &format!("5: query: {complaint}")).await;
        }
    }
}

#[tokio::test]
async fn a_resource_has_a_name_a_path_and_a_source_of_its_own() {
    let shop = Shop::in_file(PRODUCTS).await;
    let query = "query = \"SELECT 1 AS one\"";
    for (file, complaint) in [
        (
            "[resource.a]\nquery = \"SELECT 1 AS one\"\n",
            "1: missing field `path`, in \"[resource.a]\"",
        ),
        ("[resource.a]\npath = \"/a\"\n", "1: the resource has neither query nor origin"),
        (
            "[resource.users]\npath = \"/a\"\n",
            "1: [resource.users]: the name is taken by a resource that is built in",
        ),
        (
            "[resource.A]\npath = \"/a\"\n",
            "1: [resource.A]: a name takes a lower-case letter, and up to 39 of those, digits, _ and -",
        ),
        (
            &format!("[resource.a]\npath = \"/users/{{id}}/a\"\n{query}\n"),
            "2: path = \"/users/{id}/a\": /users is taken by what is built in",
        ),
        (
            &format!("[resource.a]\npath = \"a\"\n{query}\n"),
            "2: path = \"a\": it takes a path of words and {parameters}, such as /products/{sku}",
        ),
        (
            &format!("[resource.a]\npath = \"/a/{{b}}/{{b}}\"\n{query}\n"),
            "2: the path has {b} twice",
        ),
        (
            &format!(
                "[resource.a]\npath = \"/a/{{b}}\"\n{query}\n[resource.b]\npath = \"/a/{{c}}\"\n{query}\n"
            ),
            "5: path = \"/a/{c}\": a has a path which can't be told from it",
        ),
        (
            &format!("[resource.a]\npath = \"/a\"\n{query}\ndatabase = \"shop\"\n"),
            "4: database = \"shop\": there is no [database.shop]",
        ),
        ("[database.shop]\n", "1: [database.shop]: it takes either url or url_from"),
        (
            &format!(
                "[database.shop]\nurl_from = \"SHOP_URL\"\n[resource.a]\npath = \"/a\"\n{query}\ndatabase = \"shop\"\n"
            ),
            "1: \"SHOP_URL\": the environment has no such variable",
        ),
        (
            &format!(
                "[database.shop]\nurl = \"sqlite://none.db\"\n[resource.a]\npath = \"/a\"\n{query}\ndatabase = \"shop\"\n"
            ),
            "1: [database.shop]: cannot open the database \"none.db\": there is no such file",
        ),
        ("[resource.a\n", "1: unclosed table, expected `]`, in \"[resource.a\""),
        (
            "[resource.a]\npath = \"/a\"\norigin = \"ftp://h/\"\n",
            "3: origin = \"ftp://h/\": it takes a URL such as http://127.0.0.1:9000/weather/{city}",
        ),
        (
            "[resource.a]\npath = \"/a\"\norigin = \"http://u:p@h/\"\n",
            "3: origin = \"http://u:p@h/\": it takes no user and no password; a header may have them from the environment",
        ),
        (
            "[resource.a]\npath = \"/a\"\norigin = \"http://h/{b}\"\n",
            "3: origin = \"http://h/{b}\": {b} is no parameter of the resource",
        ),
        (
            "[resource.a]\npath = \"/a/{b}\"\norigin = \"http://h/\"\n",
            "3: origin = \"http://h/\": it has no {b}, and b is a parameter of the resource",
        ),
        (
            "[resource.a]\npath = \"/a\"\norigin = \"http://h/\"\nrows = \"all\"\n",
            "4: database, rows and changed_by are for a resource with a query",
        ),
        (
            "[resource.a]\npath = \"/a\"\norigin = \"http://h/\"\nheaders = { Host = \"b\" }\n",
            "4: headers.Host: Aside makes this one itself",
        ),
        (
            "[resource.a]\npath = \"/a\"\norigin = \"http://h/\"\nheaders = { A = { from = \"NO_TOKEN\" } }\n",
            "4: \"NO_TOKEN\": the environment has no such variable",
        ),
        (
            "[resource.a]\npath = \"/a\"\norigin = \"http://h/\"\ncontent_type = \"html\"\n",
            "4: content_type = \"html\": it takes a media type, such as text/html; charset=utf-8",
        ),
    ] {
        is_refused(&shop, file, complaint).await;
    }
}

#[tokio::test]
async fn there_is_a_limit_to_resources_parameters_queries_and_the_file() {
    let shop = Shop::in_file(PRODUCTS).await;
    let one = |number| {
        format!("[resource.r{number:03}]\npath = \"/r{number}\"\norigin = \"http://h/\"\n")
    };
    let many: String = (0..257).map(one).collect();
    is_refused(&shop, &many, "770: there are more than 256 resources").await;
    let path: String = (0..9).map(|number| format!("/{{p{number}}}")).collect();
    let file = format!("[resource.a]\npath = \"/a{path}\"\norigin = \"http://h/\"\n");
    is_refused(&shop, &file, "2: there are more than 8 parameters").await;
    let heavy = |name| {
        format!(
            "[resource.{name}]\npath = \"/{name}\"\nmax_loads = 200\nquery = \"SELECT 1 AS one\"\n"
        )
    };
    let why = "8: with this one, 400 queries may run at once in --database, and 256 is the most: give its resources max_loads";
    is_refused(&shop, &(heavy("a") + &heavy("b")), why).await;
    is_refused(&shop, &"#".repeat((1 << 20) + 1), " the file is longer than 1 MiB").await;
}

#[tokio::test]
async fn a_file_that_is_named_must_be_there() {
    let shop = Shop::in_file(PRODUCTS).await;
    let served = command(&shop.place, &["--resources", "other.toml"]).output().await.unwrap();
    assert_eq!(served.status.code(), Some(2));
    let complaint = String::from_utf8(served.stderr).unwrap();
    assert!(complaint.contains("other.toml: No such file"), "{complaint}");
}
