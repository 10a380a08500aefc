#!/usr/bin/env bash
# Stops jobs with a savepoint: scripts/suspend.sh [job …]
#
#   job         such as top_teams or totals; all by default
#   --verbose   when something fails, show Flink's stack trace
#
# scripts/resume.sh starts them from it. Exit code 0: done; 1: it could not be done; 2: wrong usage.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/_environment.sh"
help_from_comment "$@"
need_venv
exec python -m jobs --suspend "$@"
