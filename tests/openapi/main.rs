//! The OpenAPI document, held against the program itself: real processes and a real memcached.

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
