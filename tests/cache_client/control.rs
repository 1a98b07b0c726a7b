//! Who may use `/cache`.

use reqwest::Method;
use support::aside::Aside;

const ALL: [(Method, &str); 3] = [
    (Method::GET, "/cache/users/1"),
    (Method::DELETE, "/cache/users/1"),
    (Method::DELETE, "/cache"),
];

#[tokio::test]
async fn it_takes_the_token() {
    let aside = Aside::start(&["--api-token", "abc", "--slow-query", "0s"]).await;
    aside.get("/users/1").await.user(1);
    for (method, path) in ALL {
        for headers in [&[][..], &[("authorization", "Bearer abd")]] {
            aside.send(method.clone(), path, headers).await.problem(401);
        }
    }
    assert_eq!(aside.get("/users/1").await.x_cache(), "HIT", "nothing was forgotten");
    for (method, path) in ALL {
        let status = aside.send(method, path, &[("authorization", "Bearer abc")]).await.status;
        assert!([200, 204].contains(&status), "{path}: {status}");
    }
}

#[tokio::test]
async fn without_a_token_it_is_closed_to_other_machines() {
    let aside = Aside::start(&["--listen", "0.0.0.0:0"]).await;
    for (method, path) in ALL {
        aside.send(method, path, &[]).await.problem(403);
    }
}
