# shellcheck shell=bash disable=SC2154
work_and_wake_up texts
# The results are what the answers were.
expect '{"answer": 42}' "$(query "SELECT DISTINCT result FROM pgqrs_archive WHERE payload = '{\"number\": 0}'")"
