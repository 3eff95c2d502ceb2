//! The command line.
//! Must not know: rooms on higher floors.
/// x
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
