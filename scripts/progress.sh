# Sourced by the other scripts: says on standard error what goes on, and how far it is.
# shellcheck shell=bash

progress_shown_at=0

can_write_over() { [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; }

# On a terminal one line that is written over, and '' clears it; elsewhere a line every 30 s.
show_progress() {
    local text=${1//[[:cntrl:]]/ } width

    if can_write_over; then
        width=$(stty size <&2 2>/dev/null) || true
        width=${width#* }
        [ "${width:-0}" -gt 1 ] || width=80 # a terminal that was told no size has 0
        printf '\r\033[K%s' "${text:0:width-1}" >&2
    elif [ -n "$text" ] && [ "$SECONDS" -ge "$progress_shown_at" ]; then
        printf '%s\n' "$text" >&2
        progress_shown_at=$((SECONDS + 30))
    fi
}

# What begins now is shown in 30 s at the earliest where each line stays.
begin_progress() { progress_shown_at=$((SECONDS + 30)); }

last_line_of() { tail -n 1 -- "$1" 2>/dev/null || true; }

# A process that has ended and was not waited for yet does not run any more.
any_runs() {
    local pid stat

    for pid in "$@"; do
        { read -r stat <"/proc/$pid/stat"; } 2>/dev/null && [[ $stat != *') Z '* ]] && return 0
    done
    return 1
}

child= # leads a process group of its own: Ctrl-C does not reach it, so a trap has to end it

# follow WHAT LOG COMMAND...: runs a command with its output in the file LOG, and shows the last line of that.
follow() {
    local what=$1 log=$2 code=0

    shift 2
    begin_progress
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    child=$!
    set +m
    while any_runs "$child"; do
        sleep 0.1
        show_progress "$what: $(last_line_of "$log")"
    done
    show_progress ''
    wait "$child" || code=$?
    child=
    return "$code"
}
