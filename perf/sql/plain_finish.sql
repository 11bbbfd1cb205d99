-- One batch is done. $1: ids.
DELETE FROM plain_jobs WHERE id = ANY ($1::bigint[])
