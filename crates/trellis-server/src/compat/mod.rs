//! What other servers of TRELLIS promise their clients, on top of the same job service: each dialect translates to and
//! from it and has no rule of its own.

mod cancel_on_drop;
pub(crate) mod crossworld;
mod detail;
pub(crate) mod nim;
pub(crate) mod nim_facts;
mod result;
