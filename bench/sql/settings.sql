-- What a reader of a result must know about the server.
-- Returns one row: a JSON object with its version and the settings that decide what a commit costs.
SELECT json_object_agg(name, setting ORDER BY name)
  FROM pg_catalog.pg_settings
 WHERE name IN ('server_version', 'synchronous_commit', 'fsync', 'full_page_writes', 'shared_buffers', 'wal_level')
