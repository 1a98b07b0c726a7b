//! Writes through the program itself: real processes, a real memcached, real SQLite files.

#[cfg(test)]
mod request;
#[cfg(test)]
mod returning;

#[cfg(test)]
mod access;
#[cfg(test)]
mod addresses;
#[cfg(test)]
mod away;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod create;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod forget;
#[cfg(test)]
mod links;
#[cfg(test)]
mod lock;
