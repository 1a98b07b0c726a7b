//! Faults of the way to a memcached.

use std::time::Duration;

use support::proxy::{End, Flow, Proxy, Step, Way};

/// A fault of the way to a memcached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Connections are accepted; nothing passes either way.
    BlackHole,
    /// Every reply comes so much later.
    Late(Duration),
    /// Every reply comes in pieces of one byte.
    Sliced,
    /// A reply comes as this makes it.
    Altered(fn(&[u8]) -> Vec<u8>),
    /// Of a reply that holds a value only a part comes, and then the connection ends so.
    Cut(End),
}

impl Fault {
    /// Brings it about, on connections that are open as well.
    pub(crate) fn on(self, proxy: &Proxy) {
        match self {
            Self::BlackHole => proxy.set(Flow::Held(Way::Both)),
            Self::Late(by) => proxy.set(Flow::Slow(Way::Back, by)),
            _ => proxy.meddle(move |way, reply| self.steps(reply).filter(|_| way == Way::Back)),
        }
    }

    /// The steps in dealing with a reply; without any it comes as it is.
    fn steps(self, reply: &[u8]) -> Option<Vec<Step>> {
        match self {
            Self::Sliced => Some(reply.iter().map(|byte| Step::Pass(vec![*byte])).collect()),
            Self::Altered(alter) => Some(vec![Step::Pass(alter(reply))]),
            Self::Cut(end) if is_value(reply) => {
                Some(vec![Step::Pass(reply[..cut_at(reply)].to_vec()), Step::End(end)])
            }
            Self::BlackHole | Self::Late(_) | Self::Cut(_) => None,
        }
    }
}

/// True if a reply holds a value or a placeholder; a probe's and a write's do not.
fn is_value(reply: &[u8]) -> bool {
    reply.starts_with(b"VA ")
}

/// The place at which a reply is cut: after its header, within its value, or just before its end.
fn cut_at(reply: &[u8]) -> usize {
    let header_bytes = reply.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let last = reply.len().saturating_sub(1);
    fastrand::choice([header_bytes, usize::midpoint(header_bytes, last), last]).unwrap_or(0)
}

/// Garbage that no memcached sends.
pub(crate) fn garbage(_: &[u8]) -> Vec<u8> {
    match fastrand::u8(0..4) {
        0 => b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(),
        1 => b"VA 4294967295 t60 f0 c1 kuser:1 O1\r\n{\"id\":1}\r\nMN\r\n".to_vec(),
        2 => b"\0\r\n\xff\xfe\r\n\r\n\r\nVALUE \r\nEND\r\n".to_vec(),
        _ => std::iter::repeat_with(|| fastrand::u8(..)).take(200).collect(),
    }
}

/// Garbage instead of values only: a probe finds nothing wrong.
pub(crate) fn garbage_for_values(reply: &[u8]) -> Vec<u8> {
    if is_value(reply) { garbage(reply) } else { reply.to_vec() }
}

/// Two replies for one command.
pub(crate) fn doubled(reply: &[u8]) -> Vec<u8> {
    if is_value(reply) { reply.repeat(2) } else { reply.to_vec() }
}

/// Bytes after the reply that belong to none.
pub(crate) fn with_more(reply: &[u8]) -> Vec<u8> {
    if is_value(reply) { [reply, b"VA 2 t60\r\n{}\r\n"].concat() } else { reply.to_vec() }
}

/// Another user's data: whole, sound, and under the other's key.
pub(crate) fn of_another(reply: &[u8]) -> Vec<u8> {
    let mut text = String::from_utf8(reply.to_vec()).unwrap();
    for digit in 0..10 {
        let next = (digit + 1) % 10;
        text = text.replace(&format!(r#""id":{digit}"#), &format!(r#""id":<{next}"#));
    }
    text.replace(r#""id":<"#, r#""id":"#).replace("kuser:", "kuser:1").into_bytes()
}

/// The refusal of each write by a memcached that has no memory left for it.
pub(crate) fn out_of_memory(reply: &[u8]) -> Vec<u8> {
    const REFUSAL: &[u8] = b"SERVER_ERROR out of memory storing object\r\n";
    if is_value(reply) {
        return reply.to_vec();
    }
    let lines = reply.split_inclusive(|byte| *byte == b'\n');
    lines.flat_map(|line| if line.starts_with(b"HD ") { REFUSAL } else { line }).copied().collect()
}
