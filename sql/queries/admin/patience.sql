-- Installing waits for others that install, and a migration may take its time. Until the transaction ends.
-- Columns: text text
-- Rows: one
SELECT set_config('lock_timeout', '60000', true), set_config('statement_timeout', '60000', true);
