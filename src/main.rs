//! The `tusk` binary. Everything is in the library; this only calls the command line.
//! Must not know: anything else.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tusk::cli::main()
}
