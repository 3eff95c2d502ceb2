#!/usr/bin/env bash
# Installs what the tests need where it is missing, then runs all of them. Usage: tests/run.sh [name filter]
# Needs Rust and, on Debian, the right to install packages if PostgreSQL's server or psycopg are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/tusk-target}"
export CARGO_TERM_COLOR=never
say() { printf '\n== %s (%s)\n' "$*" "$(date +%H:%M:%S)"; }

have_postgres() { command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
install_debian() {
  local root=""; [ "$(id -u)" = 0 ] || root="sudo"
  command -v apt-get >/dev/null 2>&1 || { echo "missing: $*; install it and run this again" >&2; exit 1; }
  $root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends "$@"
}
if ! have_postgres; then
  say "install PostgreSQL's server"
  # The package would start a cluster of its own; the tests start theirs.
  if [ "$(id -u)" = 0 ]; then mkdir -p /etc/postgresql-common; [ -f /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf; fi
  install_debian postgresql
fi
if ! command -v psql >/dev/null 2>&1; then say "install psql"; install_debian postgresql-client; fi
if [ "$(id -u)" = 0 ] && ! id postgres >/dev/null 2>&1; then useradd --system --no-create-home --shell /usr/sbin/nologin postgres; fi

venv="${TUSK_TEST_VENV:-$HOME/.cache/tusk-venv}"
if [ ! -x "$venv/bin/python" ]; then say "Python environment"; python3 -m venv "$venv" || { install_debian python3-venv && python3 -m venv "$venv"; }; fi
if ! "$venv/bin/python" -c 'import psycopg' 2>/dev/null; then say "install psycopg 3"; "$venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]>=3.2,<4'; fi
export TUSK_TEST_PYTHON="$venv/bin/python"

say "build"; cargo build --release --quiet --all-targets
say "unit tests"; cargo test --release --quiet --lib ${1:+-- "$1"}
say "integration tests"; cargo test --release --quiet --test it ${1:+-- "$1"}
