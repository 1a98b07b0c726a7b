//! Sessions through the program itself: real processes and a real memcached.

#[cfg(test)]
mod request;

#[cfg(test)]
mod access;
#[cfg(test)]
mod away;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod life;
#[cfg(test)]
mod log;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod shared;
