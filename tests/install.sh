# Installs what the tests need where it is missing, and says where it is (TUSK_TEST_PYTHON, TUSK_TEST_NODE). To be sourced, from the
# repository's root. Needs nothing from outside when all is there. What only a client's tests need may be missing: they are skipped then.
say() { printf '\n== %s (%s)\n' "$*" "$(date +%H:%M:%S)"; }
have() { command -v "$1" >/dev/null 2>&1; }

install_debian() {
  local root="" said; [ "$(id -u)" = 0 ] || root="sudo"
  have apt-get && { [ -z "$root" ] || have sudo; } || { echo "missing: $*; install it and run this again" >&2; return 1; }
  say "install $*"
  # Its chatter is shown only when it fails.
  said=$({ $root apt-get -qq -o DPkg::Lock::Timeout=600 update && $root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@"; } 2>&1) ||
    { printf '%s\n' "$said" | tail -n 20 >&2; return 1; }
}

install_needed() {
  local missing=()
  have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
  have psql || missing+=(postgresql-client)
  have python3 || missing+=(python3 python3-venv)
  if [ ${#missing[@]} -gt 0 ]; then
    # The package would start a cluster of its own; the tests start theirs.
    if [ "$(id -u)" = 0 ]; then mkdir -p /etc/postgresql-common; [ -f /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf; fi
    install_debian "${missing[@]}" || exit 1
  fi
  if [ "$(id -u)" = 0 ] && ! id postgres >/dev/null 2>&1; then useradd --system --no-create-home --shell /usr/sbin/nologin postgres; fi
}

# What only clients need: one at a time when all at once does not go.
install_clients() {
  local missing=() one
  have javac && have java || missing+=(default-jdk-headless)
  [ -e /usr/share/java/postgresql.jar ] || missing+=(libpostgresql-jdbc-java)
  grep -qs '^\[PostgreSQL Unicode\]' /etc/odbcinst.ini || missing+=(odbc-postgresql)
  ls /usr/lib/*/libodbc.so.2 >/dev/null 2>&1 || missing+=(unixodbc)
  have node || missing+=(nodejs)
  have npm || [ -d "$TUSK_TEST_NODE/node_modules/pg" ] || missing+=(npm)
  [ ${#missing[@]} -eq 0 ] || install_debian "${missing[@]}" ||
    for one in "${missing[@]}"; do install_debian "$one" || echo "cannot install $one: its clients will be skipped" >&2; done
}

# Whether the packages of a list are there, whatever was installed or taken away by others.
all_there() {
  grep -v '^#' "$1" | sed 's/[][<>=,].*//' | "$2" -c '
import importlib.metadata, sys
for name in sys.stdin.read().split():
    importlib.metadata.distribution(name)
' 2>/dev/null
}

# A copy of the list beside what was installed by it tells whether it is up to date.
install_python() {
  local list=tests/clients/requirements.txt venv="${TUSK_TEST_PYTHON%/bin/python}" one
  if ! [ -x "$venv/bin/python" ] || ! [ -x "$venv/bin/pip" ]; then
    say "Python environment"
    python3 -m venv "$venv" >/dev/null || { install_debian python3-venv && python3 -m venv "$venv"; } || return
  fi
  cmp -s "$list" "$venv/installed.txt" && all_there "$list" "$venv/bin/python" && return
  say "Python clients"
  local pip=("$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --prefer-binary)
  if "${pip[@]}" -r "$list"; then cp "$list" "$venv/installed.txt"; return; fi
  grep -v '^#' "$list" | while read -r one; do "${pip[@]}" "$one" || echo "cannot install $one: its client will be skipped" >&2; done
}

install_node() {
  local list=tests/clients/package.json
  { have node && ! cmp -s "$list" "$TUSK_TEST_NODE/installed.json"; } || return 0
  have npm || return 0
  say "Node clients"
  mkdir -p "$TUSK_TEST_NODE" && cp "$list" "$TUSK_TEST_NODE/package.json" &&
    npm install --prefix "$TUSK_TEST_NODE" --silent --fetch-retries=1 --fetch-timeout=60000 --no-audit --no-fund --no-package-lock --ignore-scripts >/dev/null &&
    cp "$list" "$TUSK_TEST_NODE/installed.json" || echo "cannot install Node clients: they will be skipped" >&2
}

export TUSK_TEST_PYTHON="${TUSK_TEST_VENV:-$HOME/.cache/tusk-venv}/bin/python"
export TUSK_TEST_NODE="${TUSK_TEST_NODE:-$HOME/.cache/tusk-node}"
install_needed
install_clients
install_python
install_node
