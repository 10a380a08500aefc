#!/usr/bin/env bash
# Says how everything is: scripts/status.sh [--json]
#
#   --json   for programs
#
# Exit code 0: all of it is healthy; 1: something is not; 2: wrong usage.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/_environment.sh"
help_from_comment "$@"
need_venv
exec python -m compose status "$@"
