#!/usr/bin/env bash
# Wipes all data (boards, topics, job state) after asking: scripts/reset.sh [--yes]
#
#   --yes   do not ask
#
# Passwords, jars and logs stay. Exit code 0: wiped; 1: nothing was wiped; 2: wrong usage.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/_environment.sh"
help_from_comment "$@"
need_venv
exec python -m compose reset "$@"
