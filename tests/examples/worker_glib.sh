# shellcheck shell=bash disable=SC2154
work_and_wake_up texts
# The digest of {"number": 0}.
expect '{"sha256": "c907bce1740abd06501e26f0953643a8295d01c51563d7bff4dafae8f298429b"}' "$(query "SELECT DISTINCT result FROM pgqrs_archive WHERE payload = '{\"number\": 0}'")"
