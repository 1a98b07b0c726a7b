//! One cluster for Aside and for Python: the real pymemcache finds what Aside stores, and the other way round.

mod python;

mod tests {
    use std::time::Duration;

    use aside::{
        cache::{Ask, Filled, Key, Look, Store, Token, Value},
        cores::Cores,
        memcached::{Address, Memcached},
        metrics::Metrics,
    };
    use bytes::Bytes;
    use support::memcached::{Memcached as Process, free_port};

    use super::python::hash_client;

    /// The question of an Aside that wants to load.
    const ASK: Ask = Ask { lease_s: Some(5), refresh_s: None };

    fn keys(count: i64) -> Vec<Key> {
        (1..=count).map(|id| Key::numbered("user", id)).collect()
    }

    /// Begins to connect to servers that have missed nothing.
    fn start(addresses: &[Address]) -> Memcached {
        // A busy machine must not look like a memcached that is away.
        let timeout = Duration::from_secs(5);
        Memcached::start(&Cores::here(), addresses, timeout, &Metrics::default(), None)
    }

    /// A server as a Python program writes it.
    fn in_python(address: &Address) -> String {
        match address {
            Address::Tcp { .. } => address.to_string(),
            Address::Unix(path) => format!("unix:{path}"),
        }
    }

    /// The servers' names, as pymemcache calls them.
    fn name(address: &Address) -> String {
        match address {
            Address::Tcp { .. } => address.to_string(),
            Address::Unix(path) => path.clone(),
        }
    }

    #[tokio::test]
    async fn both_choose_the_same_of_three_servers_for_ten_thousand_keys() {
        // Nobody need listen there.
        let socket = "unix:///run/memcached/memcached.sock".to_owned();
        let [one, other] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        for texts in [
            [one.clone(), other, "127.0.0.2".to_owned()],
            [one, "localhost:11211".to_owned(), socket],
        ] {
            let addresses = texts.map(|text| text.parse::<Address>().unwrap());
            let memcached = start(&addresses);
            let keys = keys(10_000);
            let homes = hash_client("homes", &addresses.each_ref().map(in_python), &keys).await;
            assert_eq!(homes.len(), keys.len());
            for (key, home) in keys.iter().zip(&homes) {
                assert_eq!(name(memcached.home(key).unwrap()), *home, "{key}");
            }
            for address in &addresses {
                let share = homes.iter().filter(|home| **home == name(address)).count();
                assert!((3000..3667).contains(&share), "{address} has {share} of 10000 keys");
            }
        }
    }

    #[tokio::test]
    async fn either_reads_what_the_other_has_written() {
        let processes =
            [Process::start().await, Process::start().await, Process::start_on_socket().await];
        let addresses = processes.each_ref().map(Process::address);
        let servers = addresses.each_ref().map(in_python);
        let memcached = start(&addresses);
        memcached.known().await;
        let keys = keys(300);
        for key in &keys {
            let Look::Placeholder { lease, token: Token::Won } =
                memcached.lookup(key, ASK).await.unwrap()
            else {
                panic!("{key} is there already")
            };
            let body = Bytes::from(format!(r#"{{"key":"{key}","by":"Aside"}}"#));
            let value = Value { body, flags: 7, left_s: 60 };
            assert_eq!(memcached.fill(key, &lease, value).await, Ok(Filled::Stored));
        }
        let values = hash_client("get", &servers, &keys).await;
        for (key, value) in keys.iter().zip(&values) {
            assert_eq!(*value, format!(r#"{{"key":"{key}","by":"Aside"}}"#));
        }

        let body = |key: &Key| format!(r#"{{"key":"{key}","by":"Python"}}"#);
        let lines = keys.iter().map(|key| format!("{key} {}", body(key)));
        hash_client("set", &servers, &lines.collect::<Vec<_>>()).await;
        for key in &keys {
            let Look::Found { found, .. } = memcached.lookup(key, ASK).await.unwrap() else {
                panic!("{key} is not there")
            };
            assert_eq!(found.body, body(key));
        }
        for process in &processes {
            let items = process.statistic("curr_items").await.unwrap();
            assert!((60..=140).contains(&items), "{} has {items} of 300", process.address());
        }
    }
}
