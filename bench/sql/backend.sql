-- Finds the server's processes, if they are on this machine.
-- Returns one row: this session's process id, and whether the connection stays on one machine.
SELECT pg_backend_pid(), inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr()
