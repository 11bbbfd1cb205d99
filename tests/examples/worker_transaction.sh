# A worker that is killed while it works books no message twice, and its successor leaves none out.
# shellcheck shell=bash disable=SC2154
export PGQRS_DEFAULT_LOCK_TIME=1
make_queues orders
query "CREATE TABLE bookings (message bigint NOT NULL)" > /dev/null
send_many orders 2000
start_program
wait_until t "SELECT count(*) > 50 FROM bookings"
kill -KILL "$program"
wait "$program" 2>/dev/null || true
query "SELECT 'killed after ' || count(*) FROM bookings"
start_program
wait_until 0 "SELECT count(*) FROM pgqrs_messages"
stop_program
expect "2000 2000" "$(query "SELECT count(*) || ' ' || count(DISTINCT message) FROM bookings")"
expect 0 "$(query "SELECT count(*) FROM pgqrs_archive")"
