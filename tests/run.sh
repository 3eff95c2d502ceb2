#!/usr/bin/env bash
# Installs what the tests need where it is missing, then runs all of them. Usage: tests/run.sh [name filter]
# Needs Rust and, on Debian, the right to install packages if PostgreSQL's server or a client are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/tusk-target}"
export CARGO_TERM_COLOR=never
. tests/install.sh

say "build"; cargo build --release --quiet --all-targets
say "unit tests"; cargo test --release --quiet --lib ${1:+-- "$1"}
say "integration tests"; cargo test --release --quiet --test it ${1:+-- "$1"}
