-- Gives out ids for messages that copy.sql is to append. $1 how many. Returns: the ids, ascending.
-- For a connection where the two cannot be sent as one string (see copy.sql).
-- Its commit does not wait for the disk: the log is written in order, so that of the messages, which does, keeps the ids too.
-- Ids that a crash of the server takes back were told to nobody.
SELECT nextval(:'sequence'::regclass)
  FROM generate_series(1, CASE WHEN set_config('synchronous_commit', 'off', true) = 'off' THEN $1::bigint ELSE 0 END);
