-- Drops what the migrations made; the queues are gone by then. No CASCADE: what others built on it makes this fail, with its
-- name. Locks: every table of pgqrs that is left, exclusively. Run as one transaction, by the simple protocol.
-- Columns: none
-- Rows: none
DROP TABLE :"schema".pgqrs_messages, :"schema".pgqrs_archive, :"schema".pgqrs_keys, :"schema".pgqrs_workers,
    :"schema".pgqrs_queues, :"schema".pgqrs_migrations;
DROP SEQUENCE :"schema".pgqrs_message_id_seq;
DROP FUNCTION :"schema".pgqrs_draw_queue_id(), :"schema".pgqrs_prepare_archive(integer, interval),
    :"schema".pgqrs_create_queue(text, integer, integer, bigint, bigint),
    :"schema".pgqrs_delete_queue(text), :"schema".pgqrs_purge_queue(text), :"schema".pgqrs_wake_on_insert();
