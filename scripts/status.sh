#!/usr/bin/env bash
# Says how everything is, as text or with --json; exit code 0 only when all of it is healthy.
set -euo pipefail
source "$(dirname "$0")/_environment.sh"
need_venv
exec python -m compose status "$@"
