-- Finds messages that are archived as done under these leases: an earlier call whose answer was
-- lost archived them.
-- $1 ids, ascending, $2 their tokens. Returns: the ids. Plan: index scans on (id).
-- The answer confirms an earlier commit, which a synchronous standby may not have yet. A commit
-- waits for the standby only if its transaction wrote to the WAL; this statement therefore writes
-- an empty record.
-- Names: see delete.sql.
-- Columns: int8
-- Rows: $1
SELECT a.id FROM :"schema".:"archive" AS a
 WHERE a.id OPERATOR(pg_catalog.=) ANY ($1::bigint[])
   AND a.lease_token OPERATOR(pg_catalog.=) ($2::bigint[])[pg_catalog.width_bucket(a.id, $1::bigint[])]
   AND a.outcome OPERATOR(pg_catalog.=) 'done'::pg_catalog.text
   AND (SELECT pg_catalog.pg_logical_emit_message(true, 'pgqrs'::pg_catalog.text, ''::pg_catalog.text)) IS NOT NULL;
