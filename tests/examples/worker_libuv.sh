# shellcheck shell=bash disable=SC2154
work_and_wake_up texts
# The results come out of libuv's pool.
expect '{"words": 2}' "$(query "SELECT DISTINCT result FROM pgqrs_archive WHERE payload = '{\"number\": 0}'")"
