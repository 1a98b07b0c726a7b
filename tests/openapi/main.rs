//! The OpenAPI document, held against the program itself: real processes and a real memcached.

#[cfg(test)]
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod support;

#[cfg(test)]
mod document;

#[cfg(test)]
mod answers;
#[cfg(test)]
mod away;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod sound;
