#!/usr/bin/env bash
# Starts the jobs that do not run, each from its savepoint if it was suspended:
# scripts/resume.sh [job …].
set -euo pipefail
source "$(dirname "$0")/_environment.sh"
need_venv
exec python -m jobs "$@"
