LISTEN plain_jobs
