//! The edge over real sockets.

#[cfg(test)]
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod support;

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod half_close;
#[cfg(test)]
mod random;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod wire;
