#!/usr/bin/env bash
# Runs all clients and writes the matrix of docs/clients.md from what they could do.
set -euo pipefail
cd "$(dirname "$0")/.."
REWRITE=1 exec tests/run.sh every_client_does_what_the_matrix_says
