#!/usr/bin/env bash
# Computes the boards anew from the topic, all or those named: scripts/rebuild.sh [job …].
set -euo pipefail
source "$(dirname "$0")/_environment.sh"
need_venv
exec python -m jobs --rebuild "$@"
