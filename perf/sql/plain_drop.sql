DROP TABLE plain_jobs
