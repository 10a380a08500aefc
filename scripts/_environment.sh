# Sourced by the other scripts: the project's folder, its venv and what is installed there.
script="$(readlink -f "$0")" # whatever links lead to it
unset CDPATH                 # would lead elsewhere
cd "$(dirname "$script")/.."

# How the caller's own Python and pip are set up is nothing to ours, but for where pip downloads from.
# settings.py does the same for all other programs.
unset "${!PYTHON@}"
for name in "${!PIP_@}"; do
    case "$name" in
        PIP_*INDEX* | PIP_FIND_LINKS | PIP_*CERT | PIP_TRUSTED_HOST | PIP_PROXY) ;;
        PIP_*CACHE_DIR | PIP_*TIMEOUT | PIP_RETRIES | PIP_CONFIG_FILE | PIP_KEYRING_PROVIDER) ;;
        *) unset "$name" ;;
    esac
done
export PYTHONUTF8=1 # also where the locale is another

say() { printf '\033[1m%s\033[0m\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# --help of a script is the comment at its top.
help_from_comment() {
    case " $* " in *' -h '* | *' --help '*)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$script"
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
        say "Installing Python packages into .venv; this takes a minute or more"
        "$python" -m venv .venv ||
            fail "Could not create .venv with $python; see the message above."
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
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
