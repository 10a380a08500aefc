#!/usr/bin/env bash
# Stops the jobs with a savepoint, all or those named: scripts/suspend.sh [job …].
set -euo pipefail
source "$(dirname "$0")/_environment.sh"
need_venv
exec python -m jobs --suspend "$@"
