//! The queue of jobs: one contract for SQLite, PostgreSQL and Redis, each a real one, and the program itself.

#[cfg(test)]
mod consumer;
#[cfg(test)]
mod home;
#[cfg(test)]
mod servers;

#[cfg(test)]
mod command;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod log;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod service;
#[cfg(test)]
mod unwritten;
