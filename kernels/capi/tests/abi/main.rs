//! The functions of the header, called as C would call them: each status, the bits, and what arbitrary arguments do.

mod arbitrary;
mod bits;
mod calls;
mod information;
mod refused_or_right;
mod runs;
mod statuses;
