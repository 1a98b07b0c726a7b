//! A deadline is a deadline, in the server, too.

use support::{
    eventually,
    servers::{new_database, shared_postgres},
};

use crate::home::{connect, loading, serve};

#[tokio::test]
async fn a_query_past_its_deadline_is_cancelled_in_the_server() {
    let server = shared_postgres().await;
    let url = server.url_of(&new_database(&server, "template0").await);
    let arguments = ["--slow-query", "60s", "--query-timeout", "300ms", "--max-queries", "2"];
    let aside = serve(&url, &arguments).await;
    let mut other = connect(&url).await;
    for id in 1..=5 {
        aside.get(&format!("/users/{id}")).await.problem(504);
        // By the server, and not with the connection: that is usable again.
        eventually("it is cancelled", async || {
            let states = [loading(&mut other, "active").await, loading(&mut other, "idle").await];
            (states[0] == 0 && states[1] > 0).then_some(())
        })
        .await;
    }
    // An id that nobody has takes as long.
    aside.get("/users/10001").await.problem(504);
}
