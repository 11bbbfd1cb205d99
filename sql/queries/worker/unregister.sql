-- Removes a worker. $1 id.
DELETE FROM :"schema".pgqrs_workers WHERE id = $1::bigint;
