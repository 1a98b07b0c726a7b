//! A way to memcached on which somebody else's command slips in at a chosen moment.

use support::{
    memcached::Memcached,
    proxy::{Proxy, Step, Way},
};

/// Is told each line on its way to memcached, and gives the command, if any, that slips in before it. Its own answer
/// must be one line.
pub(crate) type Sabotage = Box<dyn FnMut(&str) -> Option<String> + Send>;

/// `command` slips in before the `nth` line, from 1, that begins with `before`.
pub(crate) fn once(
    before: &'static str,
    nth: usize,
    command: impl Fn(&str) -> String + Send + 'static,
) -> Sabotage {
    let mut seen = 0;
    Box::new(move |line| {
        seen += usize::from(line.starts_with(before));
        (line.starts_with(before) && seen == nth).then(|| command(key_of(line)))
    })
}

/// The key of a command.
pub(crate) fn key_of(line: &str) -> &str {
    line.split_whitespace().nth(1).unwrap_or_default()
}

/// A way to `memcached` on which that slips in.
pub(crate) fn sabotaged(memcached: &Memcached, mut sabotage: Sabotage) -> Proxy {
    let proxy = Proxy::start(&memcached.address());
    proxy.meddle(move |way, bytes| {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let steps = lines.flat_map(|line| {
            let command = sabotage(&String::from_utf8_lossy(line));
            command.map(Step::Tell).into_iter().chain([Step::Pass(line.to_vec())])
        });
        (way == Way::There).then(|| steps.collect())
    });
    proxy
}
