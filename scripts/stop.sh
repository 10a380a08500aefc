#!/usr/bin/env bash
# Stops everything: scripts/stop.sh
#
# Boards, topics and job state are kept: scripts/run_all.sh continues from there.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/_environment.sh"
help_from_comment "$@"
need_venv
exec python -m compose stop "$@"
