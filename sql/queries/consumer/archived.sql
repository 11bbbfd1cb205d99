-- Which messages are in the archive as done under just these leases: an earlier call whose answer was lost did it.
-- $1 ids, ascending, $2 their tokens. Returns: the ids. Plan: index scans on (id).
-- It confirms what an earlier commit wrote, perhaps one that a synchronous standby has not got. A commit waits for the standby
-- only if its transaction wrote to the log, so this writes an empty record.
-- Names: see delete.sql.
-- Columns: int8
-- Rows: $1
SELECT a.id FROM :"schema".:"archive" AS a
 WHERE a.id OPERATOR(pg_catalog.=) ANY ($1::bigint[])
   AND a.lease_token OPERATOR(pg_catalog.=) ($2::bigint[])[pg_catalog.width_bucket(a.id, $1::bigint[])]
   AND a.outcome OPERATOR(pg_catalog.=) 'done'::pg_catalog.text
   AND (SELECT pg_catalog.pg_logical_emit_message(true, 'pgqrs'::pg_catalog.text, ''::pg_catalog.text)) IS NOT NULL;
