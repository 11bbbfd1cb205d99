# The worker carries out what is there and what comes, and ends well on SIGTERM.
# shellcheck shell=bash disable=SC2154
make_queues mails
send_many mails 100
start_program
wait_for_archived 100
pgqrs message send mails '{"number": 101}' > /dev/null
wait_for_archived 101
stop_program
expect 101 "$(grep -c '^mail [0-9]*: {"number": [0-9]*}$' "$folder/output")"
expect 101 "$(sed 's/^mail [0-9]*: //' "$folder/output" | sort -u | wc -l)"
expect 0 "$(query "SELECT count(*) FROM pgqrs_messages")"

# What is wrong is said.
pgqrs queue delete mails --yes > /dev/null
start_program
if wait "$program"; then
    fail "ended well without a queue"
fi
program=
grep -q '"mails"' "$folder/errors" || fail "did not say which queue is missing"
