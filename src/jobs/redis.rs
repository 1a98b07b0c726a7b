//! The queue on a Redis server, as safe as that server keeps its data.

use std::time::Duration;

use apalis_redis::{Config, RedisStorage};
use redis::{
    Client, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::sync::OnceCell;

use super::{
    message::Message,
    queue::{ATTEMPTS_MAX, Counts, Dead, NAME, QueueError, ids, unavailable},
    storage::Heartbeat,
};

/// How long a connection may take to be made.
const CONNECT_WAIT: Duration = Duration::from_secs(1);

/// How long the server may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(4);

/// Jobs removed at once, so that the server is not held up.
const PRUNED_MAX: u64 = 1000;

/// apalis puts every job among the scheduled ones first, and its worker moves all that are due with one
/// `unpack`, which fails past some 8,000 and then for ever. So they go to the list of the waiting at once.
const PUSH: &str = "
    if redis.call('LLEN', KEYS[1]) + (#ARGV - 2) / 2 > tonumber(ARGV[1]) then return 0 end
    for i = 3, #ARGV, 2 do
        redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
        redis.call('HSET', KEYS[3] .. ':' .. ARGV[i], 'attempts', 0, 'max_attempts', ARGV[2],
            'status', 'Pending', 'idempotency_key', '')
        redis.call('RPUSH', KEYS[1], ARGV[i])
    end
    return 1";

const COUNTS: &str = "
    local running = 0
    for _, worker in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
        running = running + redis.call('SCARD', KEYS[3] .. ':' .. worker)
    end
    return { redis.call('LLEN', KEYS[1]), running, redis.call('SCARD', KEYS[4]),
        redis.call('ZCARD', KEYS[5]), redis.call('SCARD', KEYS[6]) }";

const LAST_DEAD: &str = "
    local dead = {}
    for _, id in ipairs(redis.call('SORT', KEYS[1], 'BY', KEYS[3] .. ':*->done_at', 'DESC',
            'LIMIT', 0, ARGV[1])) do
        table.insert(dead, redis.call('HGET', KEYS[2], id) or '')
        table.insert(dead, redis.call('HGET', KEYS[3] .. ':' .. id, 'attempts') or '0')
        table.insert(dead, redis.call('HGET', KEYS[3] .. ':' .. id, 'result') or '')
    end
    return dead";

const PRUNE: &str = "
    local extra = redis.call('SCARD', KEYS[1]) - tonumber(ARGV[1])
    if extra <= 0 then return 0 end
    local ids = redis.call('SORT', KEYS[1], 'BY', KEYS[3] .. ':*->done_at', 'ASC',
        'LIMIT', 0, math.min(extra, tonumber(ARGV[2])))
    for _, id in ipairs(ids) do
        redis.call('SREM', KEYS[1], id)
        redis.call('HDEL', KEYS[2], id)
        redis.call('DEL', KEYS[3] .. ':' .. id)
    end
    return #ids";

pub(super) struct RedisQueue {
    client: Client,
    connection: OnceCell<ConnectionManager>,
    config: Config,
}

impl RedisQueue {
    pub(super) fn new(client: &Client) -> Self {
        let config = Config::default().queue(NAME).batch_size(1).emit_events(false);
        Self { client: client.clone(), connection: OnceCell::new(), config }
    }

    pub(super) async fn open(&self) -> Result<(), QueueError> {
        self.connection().await.map(|_| ())
    }

    /// The connection, which makes itself anew when it is lost.
    async fn connection(&self) -> Result<ConnectionManager, QueueError> {
        let connect = || {
            let manner = ConnectionManagerConfig::new()
                .set_number_of_retries(1)
                .set_connection_timeout(Some(CONNECT_WAIT))
                .set_response_timeout(Some(ANSWER_WAIT));
            ConnectionManager::new_with_config(self.client.clone(), manner)
        };
        self.connection.get_or_try_init(connect).await.cloned().map_err(unavailable)
    }

    pub(super) async fn push(&self, users: &[i64], waiting_max: u64) -> Result<(), QueueError> {
        let script = Script::new(PUSH);
        let mut push = script.prepare_invoke();
        push.key(self.config.active_jobs_list())
            .key(self.config.job_data_hash())
            .key(self.config.job_meta_hash())
            .arg(waiting_max)
            .arg(ATTEMPTS_MAX);
        for (id, user) in ids(users.len()).into_iter().zip(users) {
            push.arg(id.to_string()).arg(*user);
        }
        let stored: bool =
            push.invoke_async(&mut self.connection().await?).await.map_err(unavailable)?;
        if stored { Ok(()) } else { Err(QueueError::Full) }
    }

    pub(super) async fn counts(&self) -> Result<Counts, QueueError> {
        let (waiting, running, done, retrying, dead) = Script::new(COUNTS)
            .key(self.config.active_jobs_list())
            .key(self.config.workers_set())
            .key(self.config.inflight_jobs_set())
            .key(self.config.done_jobs_set())
            .key(self.config.scheduled_jobs_set())
            .key(self.config.dead_jobs_set())
            .invoke_async(&mut self.connection().await?)
            .await
            .map_err(unavailable)?;
        Ok(Counts { waiting, running, done, retrying, dead })
    }

    pub(super) async fn last_dead(&self, shown_max: u32) -> Result<Vec<Dead>, QueueError> {
        let rows: Vec<(Vec<u8>, i64, String)> = Script::new(LAST_DEAD)
            .key(self.config.dead_jobs_set())
            .key(self.config.job_data_hash())
            .key(self.config.job_meta_hash())
            .arg(shown_max)
            .invoke_async(&mut self.connection().await?)
            .await
            .map_err(unavailable)?;
        Ok(rows.into_iter().map(Dead::of).collect())
    }

    /// Here apalis itself postpones a job that has failed, by as many seconds as it was tried.
    pub(super) async fn postpone(&self, _: &str, _: &str, _: Duration) -> Result<(), QueueError> {
        Ok(())
    }

    pub(super) async fn prune(&self, done_max: u64, dead_max: u64) -> Result<(), QueueError> {
        let sets =
            [(self.config.done_jobs_set(), done_max), (self.config.dead_jobs_set(), dead_max)];
        for (set, kept_max) in sets {
            loop {
                let removed: u64 = Script::new(PRUNE)
                    .key(&set)
                    .key(self.config.job_data_hash())
                    .key(self.config.job_meta_hash())
                    .arg(kept_max)
                    .arg(PRUNED_MAX)
                    .invoke_async(&mut self.connection().await?)
                    .await
                    .map_err(unavailable)?;
                if removed < PRUNED_MAX {
                    break;
                }
            }
        }
        Ok(())
    }

    /// There are no rows that others could write amiss; a message that says nothing is read as such.
    pub(super) async fn put_unreadable_aside(&self) -> Result<(), QueueError> {
        Ok(())
    }

    pub(super) async fn storage(
        &self,
        heartbeat: Heartbeat,
    ) -> Result<RedisStorage<Message>, QueueError> {
        let config = self
            .config
            .clone()
            .heartbeat_interval(heartbeat.interval)
            .missed_heartbeats(heartbeat.missed_max);
        Ok(RedisStorage::new(self.connection().await?).with_config(config))
    }
}
