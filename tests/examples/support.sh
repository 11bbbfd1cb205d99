# Sourced by run-example: what the scripts NAME.sh beside it need to try out an example that is a worker. They find
# the program as $folder/$name, and its database in PGQRS_DSN.
# shellcheck shell=bash disable=SC2154

program=

# Exit, with a message and all that the program said.
fail() {
    echo "$name: $*"
    tail -n 50 "$folder"/output "$folder"/errors 2>/dev/null || true
    exit 1
}

pgqrs() { "$PGQRS_TEST_COMMAND" "$@"; }

query() { psql -X -A -t "$PGQRS_DSN" -c "$1"; }

make_queues() {
    local queue
    pgqrs install > /dev/null
    for queue in "$@"; do
        pgqrs queue create "$queue" > /dev/null
    done
}

# Messages {"number": 1} to {"number": COUNT}.
send_many() {
    local queue=$1 count=$2
    seq "$count" | sed 's/.*/{"number": &}/' > "$folder/messages"
    pgqrs message send "$queue" --file "$folder/messages" > /dev/null
}

# Starts the program; its output is added to the files output and errors.
start_program() {
    "$folder/$name" "$PGQRS_DSN" >> "$folder/output" 2>> "$folder/errors" &
    program=$!
}

# Waits until QUERY says what is WANTED; the program must be alive for as long as that takes.
wait_until() {
    local wanted=$1 statement=$2 found="" deadline=$((SECONDS + 40))
    until found=$(query "$statement") && [ "$found" = "$wanted" ]; do
        kill -0 "$program" 2>/dev/null || fail "ended by itself, when \"$statement\" was \"$found\", not \"$wanted\""
        [ "$SECONDS" -lt "$deadline" ] || fail "waited too long: \"$statement\" is \"$found\", not \"$wanted\""
        sleep 0.05
    done
}

wait_for_archived() { wait_until "$1" "SELECT count(*) FROM pgqrs_archive"; }

# SIGTERM: the program must end by itself, well.
stop_program() {
    local code=0
    kill -TERM "$program"
    wait "$program" || code=$?
    program=
    [ "$code" -eq 0 ] || fail "ended with code $code after SIGTERM"
}

# At the end, whatever happened.
end_program() {
    [ -z "$program" ] || kill -KILL "$program" 2>/dev/null || true
    [ -z "$program" ] || wait "$program" 2>/dev/null || true
    program=
}

expect() {
    local wanted=$1 found=$2
    [ "$found" = "$wanted" ] || fail "found \"$found\" in place of \"$wanted\""
}

# For the adapters: what is there is carried out, and what comes while the worker sleeps wakes it. It looks by itself
# every five seconds, so eight messages, one after the other, would take much longer if its descriptor did not count.
work_and_wake_up() {
    local queue=$1 i started
    make_queues "$queue"
    send_many "$queue" 50
    start_program
    wait_for_archived 50
    started=$SECONDS
    for i in 51 52 53 54 55 56 57 58; do
        pgqrs message send "$queue" '{"number": 0}' > /dev/null
        wait_for_archived "$i"
    done
    [ $((SECONDS - started)) -lt 16 ] || fail "took $((SECONDS - started)) s to wake up eight times"
    stop_program
    expect stopped "$(cat "$folder/output")"
    expect "0 58 58" "$(query "SELECT (SELECT count(*) FROM pgqrs_messages) || ' ' || count(*) || ' ' ||
        count(*) FILTER (WHERE outcome = 'done') FROM pgqrs_archive")"
}
