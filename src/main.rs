//! The `tusk` binary. Everything is in the library; this only calls the command line.
fn main() {}
