//! The statistics, the control of the cache and `aside cache`: the program itself, and real memcached processes.

#[cfg(test)]
mod program;

#[cfg(test)]
mod control;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod forget;
#[cfg(test)]
mod items;
#[cfg(test)]
mod statistics;
#[cfg(test)]
mod table;
#[cfg(test)]
mod unnoticed;
#[cfg(test)]
mod unwritten;
