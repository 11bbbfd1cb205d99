# Sourced by perf/compare and perf/soak: options, what is built, and a PostgreSQL server of their own.
# shellcheck shell=bash
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/support/common.sh
. "$project/tests/support/common.sh"

folder=
declare -A option=([output]='' [from]='' [docs]="$project/docs")

# The command line into `option`, which holds all names and their defaults.
parse_options() {
    local name
    while [ $# -gt 0 ]; do
        if [[ $1 == --help || $1 == -h ]]; then
            sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
            exit 0
        fi
        name=${1#--}
        [[ $1 == --* && -n ${option[$name]+known} ]] || die "there is no option \"$1\"; see $0 --help"
        [ $# -gt 1 ] || die "a value is missing after \"$1\""
        option[$name]=$2
        shift 2
    done
}

# check_option NAME PATTERN WHAT
check_option() {
    [[ ${option[$1]} =~ ^($2)$ ]] || die "--$1 takes $3, not \"${option[$1]}\""
}

# Runs a command with its output in a log, shown if it fails.
attempt() {
    local what=$1 log=$project/build/perf/attempt.log
    shift
    mkdir -p "$project/build/perf"
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        die "$what failed; the end of what it said is above. To try again: $*"
    fi
}

# Any will do for a page, and where no peer runs in it.
find_node() {
    node=$(printf '%s\n' "$project"/build/perf/node_modules/node-linux-*/bin/node | head -n 1)
    [ -x "$node" ] || node=$(command -v node || true)
    [ -x "$node" ] || die "found no Node.js; install the package nodejs"
}

# write_page NAME FILE: the page docs/NAME.md and its plots.
write_page() {
    find_node
    "$node" "$project/perf/$1/page.js" "$2" "$(realpath -m "${option[docs]}")"
}

# Settings of whoever runs this must not reach what is measured.
build_driver() {
    local name
    for name in $(compgen -e PG); do
        [[ $name == PGQRS_SKIP_DEPS || $name == PGQRS_TEST_POSTGRES_BIN ]] || unset "$name"
    done
    (cd "$project" && scripts/build)
    attempt "building perf-driver" ninja -C "$project/build" perf/perf-driver
}

# As initdb makes it, durable, reached by a socket only. $1: the folder of PostgreSQL's programs.
start_postgres() {
    local load
    postgres_programs=$1
    attempt "initdb" as_server "$postgres_programs/initdb" --pgdata "$folder/data" --username postgres --auth trust \
        --encoding UTF8 --locale C.UTF-8 --no-instructions
    as_server "$postgres_programs/pg_ctl" start --silent --wait --pgdata "$folder/data" --log "$folder/postgres.log" \
        -o "-k '$folder' -c listen_addresses=''" >/dev/null </dev/null || {
        tail -n 20 "$folder/postgres.log" >&2
        die "PostgreSQL did not start; the end of its log is above"
    }
    export PGHOST=$folder PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
    PERF_SERVER_PID=$(head -n 1 "$folder/data/postmaster.pid")
    export PERF_SERVER_PID
    load=$(cut -d ' ' -f 1 /proc/loadavg)
    [ "${load%.*}" -lt 2 ] || echo "${0##*/}: this machine is busy (load $load): the figures will be too low" >&2
}

# Measures with the JavaScript of the folder $1, which gets the options as lines NAME=VALUE, and writes the page.
measure() {
    local name
    [ -n "${option[output]}" ] || option[output]=$project/build/perf/$1.json
    PERF_OUTPUT=$(realpath -m "${option[output]}")
    PERF_OPTIONS=$(for name in "${!option[@]}"; do printf '%s=%s\n' "$name" "${option[$name]}"; done)
    export PERF_OUTPUT PERF_OPTIONS
    "$node" "$project/perf/$1/measure.js"
    write_page "$1" "$PERF_OUTPUT"
}

# shellcheck disable=SC2317 # a trap calls it
clean_up() {
    [ -n "$folder" ] || return 0
    if [ -e "$folder/data/postmaster.pid" ]; then
        as_server "$postgres_programs/pg_ctl" stop --silent --pgdata "$folder/data" --mode immediate >/dev/null 2>&1 || true
    fi
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
