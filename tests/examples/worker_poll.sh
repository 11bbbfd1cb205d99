# The worker ends by itself when the queue is empty.
# shellcheck shell=bash disable=SC2154
make_queues mails
send_many mails 250
timeout 40 "$folder/$name" > "$folder/output"
expect "sent 250 mails" "$(tail -n 1 "$folder/output")"
expect 250 "$(grep '^mail ' "$folder/output" | sort -u | wc -l)"
expect "0 250" "$(query "SELECT (SELECT count(*) FROM pgqrs_messages) || ' ' || count(*) FROM pgqrs_archive")"
