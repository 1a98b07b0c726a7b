//! A server that comes back with what it held: what was written meanwhile is forgotten before it is used.

use support::{
    aside::{Aside, Place},
    eventually,
    link::Links,
    memcached::Memcached,
    proxy::{Flow, Proxy, Way},
};

use crate::{fault::Fault, lost::SETTINGS};

const IDS: std::ops::RangeInclusive<i64> = 1..=20;

/// Reads until the one server is in that state.
async fn is(aside: &Aside, state: &str) {
    eventually(state, async || {
        aside.name(9999).await;
        (aside.states().await == [state]).then_some(())
    })
    .await;
}

/// Reads a user until memcached holds what was read, and gives the name.
async fn held_name(memcached: &Memcached, aside: &Aside, id: i64) -> String {
    eventually("memcached holds it", async || {
        let name = aside.name(id).await;
        memcached.stored(&format!("user:{id}")).await.contains(&name).then_some(name)
    })
    .await
}

/// A memcached behind a proxy, and a service in front of that, which has read all of `IDS`.
async fn warm(place: &Place) -> (Memcached, Proxy, Aside) {
    let memcached = Memcached::start().await;
    let proxy = Proxy::start(&memcached.address());
    let servers = proxy.address().to_string();
    let aside = Aside::start_at(place, &[&["--memcached", &servers], &SETTINGS[..]].concat()).await;
    for id in IDS {
        aside.name(id).await;
    }
    (memcached, proxy, aside)
}

#[tokio::test]
async fn what_was_written_meanwhile_is_never_served_as_it_was_before() {
    let (memcached, proxy, aside) = warm(&Place::seeded().await).await;
    let mut before = Vec::new();
    for id in IDS {
        before.push(held_name(&memcached, &aside, id).await);
    }
    Fault::BlackHole.on(&proxy);
    is(&aside, "out of service").await;
    for id in IDS {
        let written = aside.rename(id, "Ada").await;
        assert_eq!(written.cache_status()["detail"], "pending");
        assert_eq!(aside.name(id).await, "Ada");
    }
    for (id, name) in IDS.zip(&before) {
        let held = memcached.stored(&format!("user:{id}")).await;
        assert!(held.contains(name), "memcached has kept the old values: {held}");
    }
    proxy.mend();
    // Readers do not wait for it to be in service; whatever answers, it is the new value.
    eventually("in service", async || {
        for id in IDS {
            assert_eq!(aside.name(id).await, "Ada");
        }
        (aside.states().await == ["in service"]).then_some(())
    })
    .await;
    for id in IDS {
        assert_eq!(held_name(&memcached, &aside, id).await, "Ada");
    }
}

#[tokio::test]
async fn what_stood_in_for_memcached_is_dropped_when_it_is_back() {
    let (_memcached, proxy, aside) = warm(&Place::seeded().await).await;
    Fault::BlackHole.on(&proxy);
    is(&aside, "out of service").await;
    let loads = aside.ledger("loads").await;
    let id = *IDS.start();
    aside.name(id).await;
    let hit = aside.get(&format!("/users/{id}")).await;
    assert_eq!((hit.x_cache(), &*hit.cache_status()["detail"]), ("HIT", "fallback"));
    proxy.mend();
    is(&aside, "in service").await;
    // Lost once more at once, sooner than an entry's few seconds have passed.
    Fault::BlackHole.on(&proxy);
    is(&aside, "out of service").await;
    let miss = aside.get(&format!("/users/{id}")).await;
    assert_eq!((miss.x_cache(), &*miss.cache_status()["detail"]), ("MISS", "fallback"));
    assert!(aside.ledger("loads").await >= loads + 2);
}

#[tokio::test]
async fn a_write_by_a_replica_that_is_cut_off_reaches_the_others() {
    let (place, memcached) = (Place::seeded().await, [Memcached::start().await]);
    let links = [0; 2].map(|_| Links::start(&memcached));
    let cut_off = Aside::run(&place, links[0].command(&place, &SETTINGS)).await;
    let other = Aside::run(&place, links[1].command(&place, &SETTINGS)).await;
    links[0].to(0).set(Flow::Held(Way::Both));
    for id in IDS {
        assert_ne!(other.name(id).await, "Ada");
        let written = cut_off.rename(id, "Ada").await;
        assert_eq!(written.cache_status()["detail"], "pending");
        assert_eq!(cut_off.name(id).await, "Ada", "it knows of its own write");
    }
    // The other replica finds the changes in the log, and delivers them.
    for id in IDS {
        let seen = async || (other.name(id).await == "Ada").then_some(());
        eventually("the other replica serves the new value", seen).await;
    }
    // While it is cut off it hears of the other's writes by the log.
    other.rename(1, "Grace").await;
    eventually("the cut-off replica serves it, too", async || {
        (cut_off.name(1).await == "Grace").then_some(())
    })
    .await;
    links[0].to(0).mend();
    is(&cut_off, "in service").await;
    for id in IDS {
        assert_eq!(cut_off.name(id).await, if id == 1 { "Grace" } else { "Ada" });
    }
}
