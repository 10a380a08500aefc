#!/usr/bin/env bash
# Stops the jobs with a savepoint, all or those of the boards named: scripts/suspend.sh [board …].
set -euo pipefail
source "$(dirname "$0")/_environment.sh"
need_venv
exec python -m jobs --suspend "$@"
