/*
 * Messages that must not stop a claim, for the tests of consumers and of workers.
 */
#ifndef POISON_H
#define POISON_H

/* A payload that is short when it is sent and stored, and longer than the server can print. */
#define UNPRINTABLE "(SELECT jsonb_agg(1e131071::numeric) FROM generate_series(1, 9000))"

/* Rows that a role with the right to write to the lanes can put there. READY and HELD are the
 * test's. */
static const char *const oddities[] = {
    "INSERT INTO " READY " (payload, read_ct) VALUES ('1', 2147483647)",
    "INSERT INTO " READY " (payload, crash_ct) VALUES ('1', 32767)",
    "INSERT INTO " READY " (payload, failed_ct) VALUES ('1', 32767)",
    "INSERT INTO " READY " (payload, id) VALUES ('1', 0)",
    "INSERT INTO " READY " (payload, id) VALUES ('1', -5)",
    "INSERT INTO " READY " (payload, id) VALUES ('1', -9223372036854775807)",
    "INSERT INTO " READY " (payload, id) VALUES ('1', 9223372036854775807)",
    "INSERT INTO " READY " (payload, enqueued_at) VALUES ('1', '-infinity')",
    "INSERT INTO " READY " (payload, enqueued_at) VALUES ('1', 'infinity')",
    "INSERT INTO " READY " (payload, vt) VALUES ('1', '-infinity')",
    "INSERT INTO " READY " (payload, message_type) VALUES ('1', repeat('t', 200000))",
    "INSERT INTO " READY " (payload, priority) VALUES ('1', 32767)",
    "INSERT INTO " HELD
    " (payload, read_ct, crash_ct, failed_ct) VALUES ('1', 2147483647, 32767, 32767)",
    "INSERT INTO " HELD " (payload, vt) VALUES ('1', '-infinity')",
    "INSERT INTO " HELD " (payload, id) VALUES ('1', -7)",
    "INSERT INTO " HELD " (payload, lease_token, vt) VALUES ('1', 0, clock_timestamp())",
    "INSERT INTO " HELD
    " (payload, lease_token, vt, crash_ct) VALUES ('1', 5, clock_timestamp(), 32767)",
};

#endif
