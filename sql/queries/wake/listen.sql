-- Makes this connection hear of wake-ups and cancellations. Not through a pooler that gives sessions away: there it does
-- nothing. Never run inside a longer transaction, which would keep the server from clearing its queue of notifications.
-- Columns: none
-- Rows: none
LISTEN pgqrs;
