//! The doctor on environments that the tests make: small shared objects compiled by `cc`, fatbins made by hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod abi;
mod code;
mod docs;
mod elsewhere;
mod environment;
mod four_failures;
mod hostile;
mod imports;
mod kit;
mod machine;
mod odd_files;
mod records;
mod report;
mod trellis2;
mod versions;
