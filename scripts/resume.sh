#!/usr/bin/env bash
# Starts the jobs that do not run, each from its savepoint if it was suspended:
# scripts/resume.sh [job …]
#
#   job         such as top_teams or totals; all by default
#   --verbose   when something fails, show Flink's stack trace
#
# Exit code 0: done; 1: it could not be done; 2: wrong usage.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/_environment.sh"
help_from_comment "$@"
need_venv
exec python -m jobs --resume "$@"
