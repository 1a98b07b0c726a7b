//! One change: what is written of it, and what its caller is told.

use tokio::time::Instant;

use super::{VALUE_BYTES_MAX, line::Said, request::Request};
use crate::{
    cache::{Filled, Key, Lease, StoreError, Value},
    memcached::operation::Operation,
};

/// Writes `change`, for a connection made at `connected_at`, and gives it back; `None` if there is nothing to be sent.
pub(super) fn written(
    change: Operation,
    request: &mut Request,
    connected_at: Instant,
) -> Option<Operation> {
    // A lease from before this connection is perhaps from before a restart, so that another version bears its number by
    // now.
    let is_void = |lease: &Lease| lease.asked_at < connected_at;
    // While those before it were carried out its caller may have left.
    if change.is_abandoned() {
        return None;
    }
    match change {
        Operation::Fill { lease, reply, .. } if is_void(&lease) => {
            let _ = reply.send(Ok(Filled::Void));
            return None;
        }
        Operation::Fill { value, reply, .. } if value.body.len() > VALUE_BYTES_MAX => {
            let _ = reply.send(Ok(Filled::TooLarge));
            return None;
        }
        Operation::Keep { value, reply, .. } if value.len() > VALUE_BYTES_MAX => {
            let _ = reply.send(Err(StoreError::Refused));
            return None;
        }
        // If it is not stored, nobody is chosen until the entry is past its grace.
        Operation::PutBack { lease, ref found, .. }
            if is_void(&lease) || found.body.len() > VALUE_BYTES_MAX =>
        {
            return None;
        }
        _ => {}
    }
    match &change {
        Operation::Fill { key, lease, value, .. } => fill(request, key, lease, value),
        Operation::Keep { key, value, life_s, .. } => {
            request.set(key, value, &format!("T{life_s}"));
        }
        Operation::Delete { key, .. } => request.delete(key, None),
        // A lease that is void here can't say which version it was given for, so that whatever is there goes: to
        // forget too much costs a load, and to leave a placeholder behind costs its waiters their patience.
        Operation::Release { key, lease, .. } => {
            request.delete(key, (!is_void(lease)).then_some(lease.cas));
        }
        // memcached takes no token back, so the entry is stored anew.
        Operation::PutBack { key, lease, found } => {
            let left_s = found.left_s.max(1);
            let value = Value { body: found.body.clone(), flags: found.flags, left_s };
            fill(request, key, lease, &value);
        }
        // They have a connection of their own.
        Operation::Lookup(_) | Operation::Read(_) => return None,
    }
    Some(change)
}

fn fill(request: &mut Request, key: &Key, lease: &Lease, value: &Value) {
    let flags = format!("C{} T{} F{}", lease.cas, value.left_s, value.flags);
    request.set(key, &value.body, &flags);
}

/// Tells the caller of `change` what was said to it. A refusal of what nobody waits for need not be told.
pub(super) fn answer(change: Operation, said: Said) {
    match change {
        Operation::Fill { reply, .. } => {
            let _ = reply.send(match said {
                Said::Done => Ok(Filled::Stored),
                Said::NotFound | Said::Exists => Ok(Filled::Superseded),
                Said::TooLarge => Ok(Filled::TooLarge),
                Said::Refused => Err(StoreError::Refused),
            });
        }
        Operation::Keep { reply, .. } => {
            let is_kept = said == Said::Done;
            let _ = reply.send(if is_kept { Ok(()) } else { Err(StoreError::Refused) });
        }
        Operation::Delete { reply, .. } => {
            let _ = reply.send(match said {
                Said::Done => Ok(true),
                Said::NotFound | Said::Exists => Ok(false),
                Said::Refused | Said::TooLarge => Err(StoreError::Refused),
            });
        }
        _ => {}
    }
}
