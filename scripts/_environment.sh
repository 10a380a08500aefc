# Sourced by the other scripts: the project's folder, its venv and what is installed there.
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\033[1m%s\033[0m\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# --help of a script is the comment at its top.
help_from_comment() {
    case " $* " in *' -h '* | *' --help '*)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "scripts/$(basename "$0")"
        exit 0
    esac
}

find_python() {
    local python suitable='((3, 11), (3, 12))'
    local check="import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in $suitable)"
    for python in python3.12 python3.11 python3; do
        if "$python" -c "$check" 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    fail "Python 3.11 or 3.12 with its venv module is needed;" \
        "found: $(python3 --version 2>&1 || true)." \
        "Install one (for example: apt-get install python3 python3-venv) and run this again."
}

# Installs once, and again when requirements.lock changes. Only packages whose hashes stand there.
prepare_venv() {
    local wanted python
    wanted="$(cksum <requirements.lock)"
    if [ "$(cat .venv/installed 2>/dev/null)" != "$wanted" ]; then
        python="$(find_python)"
        say "Installing Python packages into .venv"
        "$python" -m venv .venv ||
            fail "Could not create .venv with $python; see the message above."
        .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes \
            -r requirements.lock ||
            fail "Could not install the Python packages. Check the network (or its proxy) and the" \
                "free space, and run this again."
        echo "$wanted" >.venv/installed
    fi
    PATH="$PWD/.venv/bin:$PATH"
}

need_venv() {
    [ -e .venv/installed ] || fail "Nothing is installed yet: scripts/run_all.sh comes first."
    PATH="$PWD/.venv/bin:$PATH"
}
