//! Any text is a value of its own, on its way to a database or a service and back, and has a key of its own.

use std::{collections::HashSet, sync::Arc, time::Duration};

use aside::{
    cache::{Policy, Source},
    database::Foreign,
    resources::{
        Argument, Arguments,
        file::{Backend, Declared},
    },
    sources::{origin::Origin, query::Query},
};
use fastrand::Rng;
use serde_json::Value;
use tokio::time::Instant;

use crate::{service::Service, shop::Shop};

/// Texts that are tried.
const TEXTS: usize = 100_000;

/// Loads at once.
const AT_ONCE: usize = 8;

/// Characters that mean something to somebody on the way.
const SPECIAL: &str =
    "/?#%&+=:;,.'\"\\`$@!*()[]{}<>|~^ -_ \u{a0}\u{2028}\u{feff}\u{fffd}\u{10ffff}";

/// A text of 1 to 200 bytes without control characters.
fn text(random: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..random.usize(1..60) {
        let next = match random.u8(0..4) {
            0 => SPECIAL.chars().nth(random.usize(..SPECIAL.chars().count())).unwrap(),
            1 => random.alphanumeric(),
            _ => random.char(..),
        };
        if !next.is_control() && text.len() + next.len_utf8() <= 200 {
            text.push(next);
        }
    }
    // A step up is no segment of a path.
    if matches!(&*text, "" | "." | "..") { "x".to_owned() } else { text }
}

/// The source of the only resource of a file.
async fn open(
    file: String,
) -> (
    Declared,
    Arc<dyn Fn(Arguments) -> futures_util::future::BoxFuture<'static, Value> + Send + Sync>,
) {
    let declared = Declared::parse("aside.toml", &file, &Policy::default()).unwrap();
    let (definition, backend) = (&declared.resources[0].definition, &declared.resources[0].backend);
    async fn load<S: Source<Id = Arguments>>(source: Arc<S>, arguments: Arguments) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        let body = source.load(arguments, deadline).await.unwrap().body.unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()["text"].clone()
    }
    match backend {
        Backend::Origin(origin) => {
            let source = Arc::new(Origin::open(origin, definition).unwrap());
            (declared, Arc::new(move |arguments| Box::pin(load(source.clone(), arguments))))
        }
        Backend::Query(query) => {
            let url = file.lines().find_map(|line| line.strip_prefix("url = ")).unwrap();
            let database = Foreign::open(url.trim_matches('"'), AT_ONCE).await.unwrap();
            let source = Arc::new(Query::prepare(query, definition, database).await.unwrap());
            (declared, Arc::new(move |arguments| Box::pin(load(source.clone(), arguments))))
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_text_comes_back_as_itself_and_has_a_key_of_its_own() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let service = Service::echo().await;
    let mut files = vec![format!(
        "[resource.t]\npath = \"/t/{{text}}\"\norigin = \"http://{}/{{text}}\"\n",
        service.address
    )];
    let shops = Shop::of_each("CREATE TABLE t (a integer)").await;
    for shop in &shops {
        files.push(format!("[database.shop]\nurl = \"{}\"\n[resource.t]\npath = \"/t/{{text}}\"\ndatabase = \"shop\"\nquery = \"SELECT :text AS text\"\n", shop.url));
    }
    let texts: HashSet<String> = (0..TEXTS).map(|_| text(&mut random)).collect();
    for file in files {
        let (declared, load) = open(file).await;
        let signature = &declared.resources[0].definition.signature;
        let mut keys = HashSet::new();
        let mut tasks = tokio::task::JoinSet::new();
        for text in &texts {
            let arguments: Arguments = [Argument::Text(text.as_str().into())].into_iter().collect();
            assert!(keys.insert(arguments.key("t")), "{text:?}");
            let path = format!("/t/{}", signature.write_rest(&arguments));
            assert_eq!(signature.read(&path, None).as_ref(), Ok(&arguments), "{text:?}");
            if tasks.len() == AT_ONCE {
                tasks.join_next().await.unwrap().unwrap();
            }
            let (load, text) = (load.clone(), text.clone());
            tasks.spawn(async move { assert_eq!(load(arguments).await, *text) });
        }
        tasks.join_all().await;
    }
}
