#!/usr/bin/env bash
# Stops everything. Boards, topics and job state are kept: scripts/run_all.sh continues from there.
set -euo pipefail
source "$(dirname "$0")/_environment.sh"
need_venv
exec python -m compose stop
