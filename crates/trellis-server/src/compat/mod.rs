//! What other servers of TRELLIS promise their clients, on top of the same job service: each dialect translates to and
//! from it and has no rule of its own.

pub(crate) mod crossworld;
mod detail;
mod made;
pub(crate) mod nim;
pub(crate) mod nim_facts;
pub(crate) mod projectorz;
mod result;
