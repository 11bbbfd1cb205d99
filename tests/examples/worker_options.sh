# Each choice shows: results, retries, time limits, a type without a handler, middleware, events.
# shellcheck shell=bash disable=SC2154
make_queues mails reports
pgqrs message send mails '{}' --type welcome > /dev/null
pgqrs message send mails '{}' --type bill > /dev/null
pgqrs message send reports '{}' > /dev/null
start_program
wait_for_archived 3
stop_program
expect '"welcome"' "$(query "SELECT result FROM pgqrs_archive WHERE message_type = 'welcome'")"
expect "done 1" "$(query "SELECT outcome || ' ' || failed_ct FROM pgqrs_archive WHERE message_type = 'bill'")"
expect dead "$(query "SELECT outcome FROM pgqrs_archive WHERE message_type IS NULL")"
expect "2 done, 1 failed, 1 dead" "$(tail -n 1 "$folder/output")"
bill=$(query "SELECT id FROM pgqrs_archive WHERE message_type = 'bill'")
report=$(query "SELECT id FROM pgqrs_archive WHERE message_type IS NULL")
grep -q "^again: $bill$" "$folder/output" || fail "the middleware did not see the second attempt"
grep -q "^done $bill " "$folder/errors" || fail "there was no event for what was done"
grep -q "^cancelled $report " "$folder/errors" || fail "there was no event for what took too long"
grep -q "^dead $report " "$folder/errors" || fail "there was no event for what is dead"
