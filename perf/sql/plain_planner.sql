-- Plans each prepared statement once and for all, as pgqrs does: the cheapest there is.
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off
