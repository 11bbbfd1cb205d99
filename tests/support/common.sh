# Sourced by the scripts beside it: what starting a server program for a test needs.
# shellcheck shell=bash

# Exit with a message. Callers name themselves in $0.
die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# The folder of PostgreSQL's server programs: PGQRS_TEST_POSTGRES_BIN, or the newest that is installed.
postgres_bin() {
    local folder
    if [ -n "${PGQRS_TEST_POSTGRES_BIN-}" ]; then
        echo "$PGQRS_TEST_POSTGRES_BIN"
        return
    fi
    folder=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    [ -x "$folder/postgres" ] || folder=$(dirname "$(command -v postgres || true)")
    [ -x "$folder/postgres" ] || die "found no PostgreSQL server in /usr/lib/postgresql; run scripts/deps"
    echo "$folder"
}

# Server programs refuse to run as root. Runs a command as the account that they run as, from a folder it can enter.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec setpriv --reuid postgres --regid postgres --init-groups env HOME=/ "$@")
    else
        (cd / && exec "$@")
    fi
}

# Gives a file or folder to that account.
give_to_server() {
    [ "$(id -u)" != 0 ] || chown -R postgres:postgres "$@"
}

# A folder for a server: short, since a socket's whole path may have 107 bytes; entered by its owner and root only.
server_folder() {
    local folder base=${TMPDIR:-/tmp}
    [ ${#base} -le 60 ] || base=/tmp
    folder=$(mktemp -d "$base/$1.XXXXXX")
    give_to_server "$folder"
    echo "$folder"
}

# Runs a command to its end and passes its exit code on, in a process group of its own so that a signal to us reaches
# all of it, and runs `cleanup` afterwards whatever happens. On a terminal the command stays in our group: it may read.
run_then_clean_up() {
    local child='' code=0
    trap 'cleanup' EXIT
    trap 'stop_child 130' INT
    trap 'stop_child 143' TERM HUP
    stop_child() {
        trap '' INT TERM HUP
        [ -z "$child" ] || kill -TERM -- "-$child" 2>/dev/null || true
        [ -z "$child" ] || wait "$child" 2>/dev/null || true
        exit "$1"
    }
    if [ -t 0 ]; then
        "$@" || code=$?
    else
        set -m
        "$@" <&0 &
        child=$!
        set +m
        wait "$child" || code=$?
        child=''
    fi
    exit "$code"
}
