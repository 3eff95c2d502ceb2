//! The `tusk` binary. Everything is in the library; this only calls the command line.
//! Must not know: anything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    tusk::cli::main()
}
