//! The edge over real sockets.

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
