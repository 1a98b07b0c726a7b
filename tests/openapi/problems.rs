//! Each problem that an operation documents is one that it gives, and it gives no other.

use support::aside::Aside;

use crate::{away, document::Document, framing, refused};

/// Problems of an operation that take more than a request to come about, and where they do.
const ELSEWHERE: [(&str, &str, &str); 18] = [
    ("show_user", "SourceUnavailable", "src/users/tests/fail.rs"),
    ("create_session", "SourceUnavailable", "src/users/tests/fail.rs"),
    // It is the same answer as that for a user, of another stack.
    ("show_calculation", "Overloaded", "tests/openapi/away.rs"),
    ("show_calculation", "SourceTimeout", "tests/openapi/away.rs"),
    ("show_calculation", "SourceUnavailable", "src/users/tests/fail.rs"),
    ("warm_up", "QueueFull", "tests/jobs/contract.rs"),
    ("show_readiness", "DatabaseSilent", "src/database/tests/ready.rs"),
    ("show_readiness", "DatabaseCorrupt", "src/database/tests/ready.rs"),
    ("show_readiness", "OtherServers", "tests/service/servers.rs"),
    ("watch", "Unauthorized", "tests/page/streams.rs"),
    ("watch", "TooManyStreams", "tests/page/streams.rs"),
    ("watch", "Draining", "tests/page/streams.rs"),
    ("create_user", "BodyTooSlow", "tests/edge/slow.rs"),
    ("replace_user", "BodyTooSlow", "tests/edge/slow.rs"),
    ("change_user", "BodyTooSlow", "tests/edge/slow.rs"),
    ("create_session", "BodyTooSlow", "tests/edge/slow.rs"),
    ("warm_up", "BodyTooSlow", "tests/edge/slow.rs"),
    ("any", "TooManyConnections", "tests/edge/connections.rs"),
];

#[tokio::test]
async fn each_operation_gives_each_problem_that_it_documents_and_no_other() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    // It is the same document, whoever serves it.
    let document = &Document::of(&aside).await;
    tokio::join!(refused::calculations(document, &aside), async {
        refused::reads(document, &aside).await;
        refused::writes(document, &aside).await;
        refused::bodies(document, &aside).await;
        refused::fields(document, &aside).await;
        refused::sessions(document).await;
        refused::strangers(document, &aside).await;
        framing::heads(document, &aside).await;
        framing::bodies(document, &aside).await;
        away::sessions_without_memcached(document, &aside).await;
        away::memcached(document).await;
        away::database(document).await;
        away::tables(document).await;
        away::time_and_room(document).await;
        away::queue(document).await;
        away::service(document).await;
    });

    let (documented, mut seen) = (document.problems(), document.seen());
    for (id, problem, _) in ELSEWHERE {
        assert!(seen.insert(format!("{id} {problem}")), "{id} {problem} is seen here");
    }
    let everywhere = |problem: &str| documented.values().all(|all| all.contains(problem));
    for (id, problems) in &documented {
        for problem in problems {
            // What the edge or a panic answers depends on no operation.
            let of_one = !everywhere(problem) || *problem == "ForeignHost";
            let is_seen = seen.contains(&format!("{id} {problem}"))
                || !of_one && seen.iter().any(|seen| seen.ends_with(&format!(" {problem}")));
            assert!(is_seen, "{id} {problem} is never seen");
        }
    }
}
