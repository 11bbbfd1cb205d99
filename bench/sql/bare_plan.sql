-- Plans each prepared statement once and for all: the cheapest there is. Direct connections only.
SET plan_cache_mode = force_generic_plan
