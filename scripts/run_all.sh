#!/usr/bin/env bash
# Starts the whole leaderboard on this machine: services, jobs, injectors, dashboard, API.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/_environment.sh"

usage() {
    cat <<'END'
scripts/run_all.sh [--games NAME,…] [--sink postgres|kafka] [--rate N] [--detach] [--docker]

  --games   the games to compute, separated by commas; kept until you choose again (at first score)
  --sink    where the boards go; on a running system: move them there
  --rate    score events per second of the injector (default 50)
  --detach  return when the boards have rows, rather than show a live status
  --docker  start the same services with docker compose instead

Settings of a running system change when it starts again: run scripts/stop.sh first.
END
}

wrong() {
    printf '%s\n\n' "$*" >&2
    usage >&2
    exit 2
}

sink= detach= docker=
while [ $# -gt 0 ]; do
    case "$1" in --games | --sink | --rate) [ $# -gt 1 ] || wrong "$1 needs a value." ;; esac
    case "$1" in
        --games) export LEADERBOARD_GAMES="$2"; shift ;;
        --sink) sink="$2"; shift ;;
        --rate) export LEADERBOARD_RATE_PER_SECOND="$2"; shift ;;
        --detach) detach=1 ;;
        --docker) docker=1 ;;
        -h | --help) usage; exit 0 ;;
        *) wrong "There is no option $1." ;;
    esac
    shift
done
case "$sink" in '' | postgres | kafka) ;; *) wrong "--sink is '$sink'; it must be postgres or kafka." ;; esac
[ -z "$sink" ] || export LEADERBOARD_SINK="$sink"

if [ -n "$docker" ]; then
    docker compose version >/dev/null 2>&1 ||
        fail "Docker with its compose plugin is not here; without --docker nothing but Python" \
            "is needed."
    # What only some games need has the game's name as its profile.
    export COMPOSE_PROFILES="${COMPOSE_PROFILES:+$COMPOSE_PROFILES,}${LEADERBOARD_GAMES:-score}"
    exec docker compose --project-directory compose up --build ${detach:+--detach}
fi

prepare_venv

running=0
python -m compose running || running=$?
[ $running -lt 2 ] || exit $running # a setting is wrong; the message says which
if [ $running -eq 0 ]; then
    python -m compose unchanged
    [ -n "$sink" ] || { python -m compose describe; exit 0; }
    say "Moving the boards to $sink"
    python -m jobs --sink "$sink" --switch
    exec python -m compose await
fi

python -m compose check then fetch flink kafka

stop_unless_detached() {
    status=$?
    trap - EXIT
    [ $status -eq 0 ] && [ -n "$detach" ] || python -m compose stop
    exit $status
}
trap stop_unless_detached EXIT
trap 'exit 130' INT TERM

say "Starting PostgreSQL, ZooKeeper, Kafka, Flink, injectors, dashboard, API, monitor and announcer"
python -m compose \
    launch postgres zookeeper kafka registry jobmanager taskmanager \
    then start postgres kafka registry then create \
    then launch then start jobmanager # launched are all others, which need topics and tables

say "Submitting the jobs"
python -m jobs ${sink:+--sink "$sink" --switch}

python -m compose start then await then describe
[ -n "$detach" ] || python -m compose watch
