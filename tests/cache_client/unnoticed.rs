//! An explanation disturbs nothing: what memcached knows of an item is the same before and after.

use aside::{
    cache::Key,
    memcached::{Address, Inspector},
};
use support::{PATIENCE, aside::Aside, eventually, memcached::Memcached};

use crate::program::{cache, flags, store};

/// Explains `key` by every way there is.
async fn explain(memcached: &Memcached, aside: &Aside, key: &str) {
    cache(&[memcached], &["explain", key]).await.succeeded();
    let id = key.strip_prefix("user:").unwrap();
    assert_eq!(aside.get(&format!("/cache/users/{id}")).await.status, 200);
    let address: Address = memcached.address();
    let inspector = Inspector::new(&[address], PATIENCE);
    inspector.places(&Key::new(key).unwrap()).await[0].item.as_ref().unwrap().as_ref().unwrap();
}

/// All that memcached knows of `key`, with times that do not pass by themselves: when it runs out and when it was
/// last used, whether it was ever read, its CAS and its size.
///
/// `None` for the moment in which memcached's maintenance holds the item.
async fn known(memcached: &Memcached, key: &str) -> Option<String> {
    let listed = memcached.ask("lru_crawler metadump all\r\n", "END\r\n").await.unwrap();
    let prefix = format!("key={} ", key.replace(':', "%3A"));
    listed.lines().find(|line| line.starts_with(&prefix)).map(str::to_owned)
}

/// Waits until the last use of `key` is a second old, so that another one would be seen.
pub(crate) async fn until_a_second_old(memcached: &Memcached, key: &str) {
    eventually("its last use is a second old", async || {
        let line = memcached.tell(&format!("me {key}")).await;
        let used_s = line.split(' ').find_map(|field| field.strip_prefix("la="));
        (used_s.unwrap().parse::<u64>().unwrap() >= 1).then_some(())
    })
    .await;
}

async fn service(memcached: &Memcached) -> Aside {
    Aside::start(&["--memcached", &memcached.address().to_string()]).await
}

#[tokio::test]
async fn neither_the_mark_of_a_read_nor_the_last_use_nor_the_cas_changes() {
    let memcached = Memcached::start().await;
    let aside = service(&memcached).await;
    let entry = format!("T360 F{}", flags(false, 360));
    // The second read of an item is the one whose time memcached notes; the first marks it as read.
    let [unread, read, used] = ["user:1", "user:2", "user:3"];
    for key in [unread, read, used] {
        store(&memcached, key, "{\"id\":1}", &entry).await;
    }
    for key in [read, used] {
        memcached.tell(&format!("mg {key} t")).await;
    }
    for key in [unread, read, used] {
        until_a_second_old(&memcached, key).await;
    }
    let known_of = async |key| known(&memcached, key).await;
    let before = [known_of(unread).await.unwrap(), known_of(read).await.unwrap()];
    assert!(before[0].contains(" fetch=no ") && before[1].contains(" fetch=yes "), "{before:?}");
    for key in [unread, read] {
        explain(&memcached, &aside, key).await;
    }
    // The control: a read that is no explanation is noted, if late, and so would one of those have been before it.
    let unused = known_of(used).await.unwrap();
    memcached.tell(&format!("mg {used} t")).await;
    eventually("the read is noted", async || (known_of(used).await? != unused).then_some(())).await;
    let after = [known_of(unread).await.unwrap(), known_of(read).await.unwrap()];
    assert_eq!(before, after);
}

#[tokio::test]
async fn the_refresh_of_a_stale_entry_is_left_to_the_next_reader() {
    let memcached = Memcached::start().await;
    let aside = service(&memcached).await;
    // Sixty seconds past its fresh life: 300 s of 360 are stale time.
    store(&memcached, "user:1", "{\"id\":1}", &format!("T240 F{}", flags(false, 360))).await;
    explain(&memcached, &aside, "user:1").await;
    let reader = memcached.tell("mg user:1 t N30 R300").await;
    assert!(reader.ends_with(" W"), "{reader}");
    explain(&memcached, &aside, "user:1").await;
    let next = memcached.tell("mg user:1 t N30 R300").await;
    assert!(next.ends_with(" Z"), "{next}");
}

#[tokio::test]
async fn an_absent_key_gets_no_placeholder_and_a_lease_stays_with_its_holder() {
    let memcached = Memcached::start().await;
    let aside = service(&memcached).await;
    explain(&memcached, &aside, "user:1").await;
    assert_eq!(memcached.tell("me user:1").await, "EN");
    let holder = memcached.tell("mg user:1 c N30").await;
    let cas = holder.split(' ').find_map(|flag| flag.strip_prefix('c')).unwrap().to_owned();
    assert!(holder.ends_with(" W"), "{holder}");
    explain(&memcached, &aside, "user:1").await;
    store(&memcached, "user:1", "{\"id\":1}", &format!("C{cas} T60")).await;
}
