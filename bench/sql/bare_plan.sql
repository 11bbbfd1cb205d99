-- Plans a statement once, without table statistics in mind, as the cheapest client would. Direct connections only.
SET plan_cache_mode = force_generic_plan
