-- Drops what the migrations created; the queues are already deleted. No CASCADE: an object of
-- others that depends on it makes this fail, and the error names the object. Locks: every remaining
-- table of pgqrs, exclusively. Runs as one transaction, by the simple protocol.
-- Columns: none
-- Rows: none
DROP TABLE :"schema".pgqrs_messages, :"schema".pgqrs_archive, :"schema".pgqrs_keys, :"schema".pgqrs_workers,
    :"schema".pgqrs_queues, :"schema".pgqrs_migrations;
DROP SEQUENCE :"schema".pgqrs_message_id_seq;
DROP FUNCTION :"schema".pgqrs_draw_queue_id(), :"schema".pgqrs_prepare_archive(integer, interval),
    :"schema".pgqrs_create_queue(text, integer, integer, bigint, bigint),
    :"schema".pgqrs_delete_queue(text), :"schema".pgqrs_purge_queue(text),
    :"schema".pgqrs_metrics(text, boolean, bigint), :"schema".pgqrs_wake_on_insert();
