-- What a reader of a result must know about the server.
-- Returns one row: server version and the settings that decide what a commit costs.
SELECT current_setting('server_version'), current_setting('synchronous_commit'), current_setting('fsync'),
       current_setting('full_page_writes'), current_setting('shared_buffers'), current_setting('wal_level')
