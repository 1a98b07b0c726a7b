//! Replies that are cut off, come in pieces, or are none.

use aside::cache::{Filled, Look, Store, StoreError};
use futures_util::future::join_all;
use support::{
    client::{body, key, value},
    fake::{Act, Asked, CONNECTIONS, Verb, block, value_of},
};

use super::{UNHURRIED, connected, is_right_or_an_error, serves_again, struck};

#[tokio::test]
async fn a_reply_cut_anywhere_is_an_error_and_never_part_of_a_value() {
    let whole = Asked { verb: Verb::Lookup, keys: vec!["user:1".to_owned()], opaque: 1 }.honest();
    let header = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let value = header + value_of("user:1").len();
    let cuts = [0, 1, header / 2, header, header + 1, value - 1, value, value + 2, value + 4];
    for cut in cuts {
        for end in [|| Act::Reset, || Act::Close] {
            let (look, crosstalk) =
                struck(move |asked| vec![Act::send(&asked.honest()[..cut]), end()]).await;
            assert!(matches!(look, Err(StoreError::NoAnswer)), "cut at {cut}: {look:?}");
            assert_eq!(crosstalk, 0.0, "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn of_a_batch_that_is_cut_no_value_is_part_of_another() {
    let (fake, client) = connected(UNHURRIED).await;
    fake.once(|asked| {
        let cut = block(asked.keys.first()?, asked.opaque).len() + 40;
        (asked.keys.len() > 1).then(|| vec![Act::send(&asked.honest()[..cut]), Act::Reset])
    });
    let names: Vec<_> = (0..64).map(|number| format!("user:{number}")).collect();
    let looks = join_all(names.iter().map(|name| client.look_up(name))).await;
    for (name, look) in names.iter().zip(&looks) {
        is_right_or_an_error(name, look);
    }
    assert!(looks.iter().any(Result::is_err), "no batch was cut");
    serves_again(&client).await;
}

#[tokio::test]
async fn a_reply_in_pieces_of_one_byte_is_put_together() {
    let (fake, client) = connected(UNHURRIED).await;
    let pieces = |asked: &Asked| {
        let whole = asked.honest();
        Some(whole.iter().map(|&byte| Act::Send(vec![byte])).collect())
    };
    fake.once(pieces);
    let look = client.look_up("user:1").await;
    assert_eq!(body(&look).unwrap(), &value_of("user:1"));
    let Ok(Look::Found { lease, .. }) = look else { unreachable!() };
    fake.once(pieces);
    assert_eq!(client.store.fill(&key("user:1"), &lease, value("{}")).await, Ok(Filled::Stored));
    fake.once(pieces);
    assert_eq!(client.forget("user:1").await, Ok(()));
    assert_eq!((fake.connections(), client.metric("failures_total")), (CONNECTIONS, 0.0));
}

#[tokio::test]
async fn what_is_no_reply_is_an_error() {
    let http = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let wrongs = [
        "\r\n",
        "\0\u{1}\u{2}\u{3}\u{4}\u{5}\r\n",
        "hello\r\n",
        http,
        "VA four t60 f7 c9 O1 kuser:1\r\n{}\r\nMN\r\n",
        "VA -1 t60 f7 c9 O1 kuser:1\r\n{}\r\nMN\r\n",
        "VA 4294967296 t60 f7 c9 O1 kuser:1\r\n{}\r\nMN\r\n",
        "VA 2 t60 f7 c18446744073709551616 O1 kuser:1\r\n{}\r\nMN\r\n",
        "VA 1 t60 f7 c9 O1 kuser:1\r\n{}\r\nMN\r\n",
        "ERROR\r\n",
        "ERROR Too many open connections\r\n",
        "CLIENT_ERROR bad command line format\r\n",
        "SERVER_ERROR out of memory\r\n",
    ];
    for wrong in wrongs {
        let (look, _) = struck(move |_| vec![Act::send(wrong)]).await;
        assert!(matches!(look, Err(StoreError::NoAnswer)), "{wrong:?}: {look:?}");
    }
}

/// As of a server that was restarted with `-C`: the probe of a new connection is too late for what is asked before.
#[tokio::test]
async fn a_value_without_a_version_is_nobodys_and_its_server_is_probed_anew() {
    let (fake, client) = connected(UNHURRIED).await;
    fake.once(|asked| {
        let unversioned = String::from_utf8(asked.honest()).unwrap().replace(" c9 ", " c0 ");
        Some(vec![Act::send(unversioned)])
    });
    let look = client.look_up("user:1").await;
    assert!(matches!(look, Err(StoreError::NoAnswer)), "{look:?}");
    // One such answer is enough to end all connections.
    fake.is_connected(CONNECTIONS * 2).await;
    serves_again(&client).await;
    assert_eq!((client.metric("failures_total"), client.metric("crosstalk_total")), (1.0, 0.0));
}
