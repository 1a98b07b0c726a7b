//! The document has the routes of the program: all of them, and no others.

use std::{collections::BTreeSet, fs, path::Path};

use reqwest::Method;
use support::aside::Aside;

use crate::document::Document;

/// A path of the template, with ids that can be.
pub(crate) fn example(template: &str) -> String {
    let session = template.starts_with("/sessions/");
    let id = if session { "A".repeat(43) } else { "1".to_owned() };
    template.replace("{id}", &id).replace("{n}", "1")
}

#[tokio::test]
async fn each_documented_path_answers_the_documented_methods_and_no_others() {
    let aside = Aside::start(&["--api-token", "secret"]).await;
    let document = Document::of(&aside).await;
    let templates: BTreeSet<_> = document.operations().map(|(path, ..)| path.to_owned()).collect();
    for template in templates {
        let answer = aside.send(Method::OPTIONS, &example(&template), &[]).await;
        answer.problem(405);
        let allowed = answer.header("allow").split(',').map(str::trim);
        let allowed: BTreeSet<_> = allowed.map(str::to_lowercase).collect();
        let documented = document.operations().filter(|(path, ..)| *path == template);
        let mut documented: BTreeSet<_> =
            documented.map(|(_, method, _)| method.to_owned()).collect();
        // The document says once for all that what answers GET answers HEAD.
        if documented.contains("get") {
            documented.insert("head".to_owned());
        }
        assert_eq!(documented, allowed, "{template}");
    }
}

#[tokio::test]
async fn each_route_of_the_sources_is_documented() {
    let aside = Aside::start(&[]).await;
    let document = Document::of(&aside).await;
    let documented: BTreeSet<_> = document.operations().map(|(path, ..)| path.to_owned()).collect();
    let mut routes = routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"));
    // Those of the list of resources.
    routes.extend(
        ["/calculations/{n}", "/cache/users/{id}", "/cache/calculations/{n}"].map(str::to_owned),
    );
    assert_eq!(documented, routes);
}

/// The paths that are given as they are to axum's router anywhere in `folder`.
fn routes(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                return routes(&path);
            }
            let text = fs::read_to_string(path).unwrap();
            let routes = text.split(".route(\"").skip(1);
            routes.map(|route| route.split('"').next().unwrap().to_owned()).collect()
        })
        .collect()
}

#[tokio::test]
async fn what_needs_the_token_is_documented_to_need_it_and_nothing_else_is() {
    let aside = Aside::start(&["--api-token", "secret"]).await;
    let document = Document::of(&aside).await;
    for (template, method, operation) in document.operations() {
        let id = operation["operationId"].as_str().unwrap();
        if ["show_calculation", "watch"].contains(&id) {
            // It takes five seconds, or for ever.
            continue;
        }
        let method = method.to_uppercase().parse().unwrap();
        let answer = aside.send(method, &example(template), &[]).await;
        let needs = operation["security"].pointer("/0/token").is_some();
        assert_eq!(answer.status == 401, needs, "{id}: {answer:?}");
        if needs {
            document.check(id, &answer);
        }
    }
}
