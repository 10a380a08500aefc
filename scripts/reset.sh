#!/usr/bin/env bash
# Wipes all data (boards, topics, job state) after asking; --yes does not ask.
set -euo pipefail
source "$(dirname "$0")/_environment.sh"
need_venv
exec python -m compose reset "$@"
