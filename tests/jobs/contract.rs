//! What holds of every queue, whatever it is kept in.

use std::{collections::HashSet, sync::Arc, time::Duration};

use aside::jobs::{ATTEMPTS_MAX, Outcome, QueueError, QueueLimits, Timing};
use support::eventually;
use tokio::{sync::Barrier, task::JoinSet, time::Instant};

use crate::{
    consumer::{Consumer, Manner, counted},
    home::{Home, QUICK, SHORT},
};

macro_rules! contract {
    ($($test:ident),+ $(,)?) => {
        contract!(sqlite: $($test),+);
        contract!(postgres: $($test),+);
        contract!(redis: $($test),+);
    };
    ($home:ident: $($test:ident),+) => {
        mod $home {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::home::Home::$home().await).await;
            })+
        }
    };
}

contract!(
    first_in_is_first_out,
    a_push_is_stored_whole_or_not_at_all,
    pushes_at_once_stay_within_the_limit,
    ten_thousand_at_once_are_no_trouble,
    a_job_that_keeps_failing_ends_where_it_can_be_seen_and_the_others_go_on,
    a_failed_job_waits_for_its_time_and_the_others_go_on,
    a_message_that_is_no_id_is_put_aside_and_the_worker_lives,
    the_job_of_a_dead_worker_is_anothers_after_the_lease,
    a_long_job_is_not_taken_from_a_living_worker,
    a_worker_that_lost_its_job_does_not_end_it,
    a_worker_rests_after_each_job,
    several_workers_share_the_jobs_and_do_none_twice,
    only_so_many_done_and_dead_jobs_are_kept,
    any_number_of_processes_may_open_it_at_once,
    a_waiting_worker_hears_of_jobs_of_other_processes_soon,
    a_stopped_worker_finishes_its_job_and_takes_no_other,
);

async fn first_in_is_first_out(home: Home) {
    let queue = home.queue();
    let users: Vec<i64> = (1..=300).rev().collect();
    for users in users.chunks(7) {
        // Now and then by another process.
        let queue = if users[0] % 2 == 0 { home.queue() } else { queue.clone() };
        queue.push("users", users).await.unwrap();
    }
    let consumer = Consumer::start(&queue, Manner::Answer);
    counted(&queue, "all are done", |counts| counts.done == 300).await;
    assert_eq!(consumer.warmed(), users);
}

async fn a_push_is_stored_whole_or_not_at_all(home: Home) {
    let queue = home.queue_with(QueueLimits { waiting_max: 10, ..QueueLimits::default() });
    queue.push("users", &[1; 8]).await.unwrap();
    assert_eq!(queue.push("users", &[2; 3]).await, Err(QueueError::Full));
    assert_eq!(queue.report().await.unwrap().counts.waiting, 8);
    queue.push("users", &[3; 2]).await.unwrap();
    assert_eq!(queue.push("users", &[4]).await, Err(QueueError::Full));
    assert_eq!(queue.report().await.unwrap().counts.waiting, 10);
}

async fn pushes_at_once_stay_within_the_limit(home: Home) {
    let mut pushes = JoinSet::new();
    for _ in 0..12 {
        let queue = home.queue_with(QueueLimits { waiting_max: 20, ..QueueLimits::default() });
        pushes.spawn(async move { queue.push("users", &[1; 5]).await });
    }
    let pushed = pushes.join_all().await;
    assert_eq!(pushed.iter().filter(|pushed| pushed.is_ok()).count(), 4, "{pushed:?}");
    assert!(pushed.iter().all(|pushed| matches!(pushed, Ok(()) | Err(QueueError::Full))));
    assert_eq!(home.queue().report().await.unwrap().counts.waiting, 20);
}

async fn ten_thousand_at_once_are_no_trouble(home: Home) {
    let queue = home.queue();
    let users: Vec<i64> = (1..=10_000).collect();
    queue.push("users", &users).await.unwrap();
    queue.push("users", &users).await.unwrap();
    assert_eq!(queue.report().await.unwrap().counts.waiting, 20_000);
    let consumer = Consumer::start(&queue, Manner::Answer);
    counted(&queue, "some are done", |counts| counts.done >= 20).await;
    assert_eq!(consumer.warmed()[..20], users[..20]);
}

async fn a_job_that_keeps_failing_ends_where_it_can_be_seen_and_the_others_go_on(home: Home) {
    let queue = home.queue();
    queue.push("users", &[1, 2, 3, 4, 5]).await.unwrap();
    let consumer = Consumer::start(&queue, Manner::Fail(HashSet::from([2])));
    let right = |counts: &aside::jobs::JobCounts| (counts.done, counts.dead) == (4, 1);
    let counts = counted(&queue, "one is dead and the others are done", right).await;
    assert_eq!((counts.waiting, counts.running, counts.retrying), (0, 0, 0));
    let report = queue.report().await.unwrap();
    let [dead] = &report.last_dead[..] else { panic!("{report:?}") };
    assert_eq!((dead.target.as_ref().map(|it| &*it.id), dead.attempts), (Some("2"), ATTEMPTS_MAX));
    assert_eq!(dead.error, "the source failed: no such table");
    let tries = consumer.attempts();
    let tries =
        tries.iter().filter(|attempt| attempt.target.as_ref().is_some_and(|it| it.id == "2"));
    assert!(tries.map(|attempt| attempt.number).eq(1..=ATTEMPTS_MAX));
    // It does not come back.
    queue.push("users", &[6]).await.unwrap();
    counted(&queue, "the next is done", |counts| (counts.done, counts.dead) == (5, 1)).await;
}

async fn a_failed_job_waits_for_its_time_and_the_others_go_on(home: Home) {
    let timing = Timing { retry: Duration::from_secs(60 * 60), ..QUICK };
    let queue = home.queue();
    queue.push("users", &[1, 2, 3]).await.unwrap();
    let mut consumer = Consumer::start_with(&queue, Manner::Fail(HashSet::from([1])), timing);
    let counts = counted(&queue, "the others are done", |counts| counts.done == 2).await;
    assert_eq!((counts.retrying, counts.waiting, counts.dead), (1, 0, 0));
    consumer.ended().await;
    assert_eq!(consumer.attempts().len(), 3, "one each");
}

async fn a_message_that_is_no_id_is_put_aside_and_the_worker_lives(home: Home) {
    let queue = home.queue();
    queue.report().await.unwrap();
    home.push_raw(b"{\"user\": \x00\xff").await;
    queue.push("users", &[7]).await.unwrap();
    let consumer = Consumer::start(&queue, Manner::Answer);
    let right = |counts: &aside::jobs::JobCounts| (counts.dead, counts.done) == (1, 1);
    counted(&queue, "one is dead and one done", right).await;
    let report = queue.report().await.unwrap();
    assert_eq!(report.last_dead[0].target, None);
    assert_eq!(report.last_dead[0].error, "the message names nothing that can be loaded");
    assert_eq!(consumer.warmed(), [7]);
    let unread = consumer.attempts().into_iter().find(|attempt| attempt.target.is_none());
    assert!(matches!(unread.unwrap().outcome, Outcome::Dead(_)), "without a second attempt");
}

async fn the_job_of_a_dead_worker_is_anothers_after_the_lease(home: Home) {
    let queue = home.queue();
    queue.push("users", &[1]).await.unwrap();
    let dying = Consumer::start_with(&queue, Manner::Hang, SHORT);
    counted(&queue, "it is under way", |counts| counts.running == 1).await;
    // Its task is aborted: no word to the queue, and no further heartbeat.
    drop(dying);
    let died_at = Instant::now();
    let other = Consumer::start_with(&queue, Manner::Answer, SHORT);
    counted(&queue, "it is done by another", |counts| counts.done == 1).await;
    assert_eq!(other.warmed(), [1]);
    // The machine may be busy.
    let bound = SHORT.lease + Duration::from_secs(6);
    assert!(died_at.elapsed() < bound, "{:?}", died_at.elapsed());
}

async fn a_long_job_is_not_taken_from_a_living_worker(home: Home) {
    let timing = Timing { lease: Duration::from_secs(6), ..QUICK };
    let queue = home.queue();
    queue.push("users", &[1]).await.unwrap();
    let long = Manner::Take(timing.lease + Duration::from_secs(1));
    let workers = [(); 2].map(|()| Consumer::start_with(&queue, long.clone(), timing));
    counted(&queue, "it is done", |counts| counts.done == 1).await;
    let attempts: Vec<_> = workers.iter().flat_map(Consumer::attempts).collect();
    assert_eq!(attempts.len(), 1, "{attempts:?}");
}

async fn a_worker_that_lost_its_job_does_not_end_it(home: Home) {
    let queue = home.queue();
    queue.push("users", &[1]).await.unwrap();
    let mut late = Consumer::start(&queue, Manner::Take(Duration::from_secs(3)));
    counted(&queue, "it is under way", |counts| counts.running == 1).await;
    home.lapse().await;
    let other = Consumer::start(&queue, Manner::Hang);
    eventually("another has it", async || (other.most_at_once() == 1).then_some(())).await;
    assert_eq!(late.attempts().len(), 0, "the first still has it");
    late.ended().await;
    assert_eq!(late.warmed(), [1]);
    let counts = queue.report().await.unwrap().counts;
    assert_eq!((counts.running, counts.done), (1, 0));
}

async fn a_worker_rests_after_each_job(home: Home) {
    let queue = home.queue();
    queue.push("users", &[1, 2, 3, 4]).await.unwrap();
    let timing = Timing { rest: Duration::from_millis(200), ..QUICK };
    let consumer = Consumer::start_with(&queue, Manner::Answer, timing);
    counted(&queue, "all are done", |counts| counts.done == 4).await;
    let ends = consumer.ends();
    assert!(ends.windows(2).all(|pair| pair[1] - pair[0] >= timing.rest), "{ends:?}");
}

async fn several_workers_share_the_jobs_and_do_none_twice(home: Home) {
    let queue = home.queue();
    let users: Vec<i64> = (1..=100).collect();
    queue.push("users", &users).await.unwrap();
    let workers = [(); 3];
    let manner = Manner::Meet(Arc::new(Barrier::new(workers.len())));
    let workers = workers.map(|()| Consumer::start(&home.queue(), manner.clone()));
    counted(&queue, "all are done", |counts| counts.done == 100).await;
    let mut warmed: Vec<_> = workers.iter().flat_map(Consumer::warmed).collect();
    warmed.sort_unstable();
    assert_eq!(warmed, users);
    assert_eq!(workers.map(|worker| worker.most_at_once()), [1; 3], "each had some, one at a time");
}

async fn only_so_many_done_and_dead_jobs_are_kept(home: Home) {
    let limits = QueueLimits { done_max: 3, dead_max: 0, ..QueueLimits::default() };
    let queue = home.queue_with(limits);
    queue.report().await.unwrap();
    home.push_raw(b"nonsense").await;
    queue.push("users", &[1; 20]).await.unwrap();
    // The worker prunes as well, now and then.
    let mut consumer = Consumer::start(&queue, Manner::Answer);
    let all = async || (consumer.attempts().len() == 21).then_some(());
    eventually("all were tried", all).await;
    consumer.ended().await;
    queue.prune().await.unwrap();
    let counts = queue.report().await.unwrap().counts;
    assert_eq!((counts.done, counts.dead), (3, 0));
}

async fn any_number_of_processes_may_open_it_at_once(home: Home) {
    let mut pushes = JoinSet::new();
    for _ in 0..8 {
        let queue = home.queue();
        pushes.spawn(async move { queue.push("users", &[1; 25]).await });
    }
    for pushed in pushes.join_all().await {
        pushed.unwrap();
    }
    assert_eq!(home.queue().report().await.unwrap().counts.waiting, 200);
}

async fn a_waiting_worker_hears_of_jobs_of_other_processes_soon(home: Home) {
    // A heartbeat is far away.
    let timing = Timing { lease: Duration::from_secs(300), ..QUICK };
    let queue = home.queue();
    queue.push("users", &[1]).await.unwrap();
    let consumer = Consumer::start_with(&queue, Manner::Answer, timing);
    counted(&queue, "the first is done", |counts| counts.done == 1).await;
    let pushed_at = Instant::now();
    home.queue().push("users", &[2]).await.unwrap();
    eventually("the second is done", async || (consumer.warmed().len() == 2).then_some(())).await;
    assert!(pushed_at.elapsed() < Duration::from_secs(15), "{:?}", pushed_at.elapsed());
}

async fn a_stopped_worker_finishes_its_job_and_takes_no_other(home: Home) {
    let queue = home.queue();
    queue.push("users", &[1, 2]).await.unwrap();
    let mut consumer = Consumer::start(&queue, Manner::Take(Duration::from_secs(3)));
    counted(&queue, "the first is under way", |counts| counts.running == 1).await;
    consumer.ended().await;
    let counts = queue.report().await.unwrap().counts;
    assert_eq!((counts.done, counts.running, counts.waiting), (1, 0, 1));
    assert_eq!(consumer.warmed(), [1]);
}
