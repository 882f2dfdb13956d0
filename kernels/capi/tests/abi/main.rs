//! The functions of the header, called as C would call them: each status, the bits, and what arbitrary arguments do.

mod arbitrary;
mod bits;
mod calls;
mod information;
mod runs;
mod statuses;
