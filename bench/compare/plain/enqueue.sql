INSERT INTO plain_jobs (payload) SELECT :payload::jsonb FROM generate_series(1, :batch);
