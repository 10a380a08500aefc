#!/usr/bin/env bash
# Computes boards again from the topic: scripts/rebuild.sh [job …]
#
#   job             such as top_teams or totals; all by default
#   --drop-seasons  when the season has another length now: remove the older ones
#   --verbose       when something fails, show Flink's stack trace
#
# Older seasons of the same length stay as they are. Exit code 0: done; 1: it could not be done; 2: wrong usage.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/_environment.sh"
help_from_comment "$@"
need_venv
exec python -m jobs --rebuild "$@"
