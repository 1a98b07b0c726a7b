//! `aside demo`, and the example for Python: the programs themselves, and real memcached processes.

#[cfg(test)]
mod program;
#[cfg(test)]
mod saboteur;

#[cfg(test)]
mod differences;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod python;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod walks;
