-- Writes all dirty pages, so that every measured part starts alike. Needs pg_checkpoint or superuser.
CHECKPOINT
