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
    let mut ids = 1..;
    for _ in 0..5 {
        // By the server, and not with the connection, which is usable again if the server's word came in time.
        eventually("a connection outlives its query", async || {
            aside.get(&format!("/users/{}", ids.next()?)).await.problem(504);
            eventually("it is cancelled", async || {
                (loading(&mut other, "active").await == 0).then_some(())
            })
            .await;
            (loading(&mut other, "idle").await > 0).then_some(())
        })
        .await;
    }
    // An id that nobody has takes as long.
    aside.get("/users/10001").await.problem(504);
}
