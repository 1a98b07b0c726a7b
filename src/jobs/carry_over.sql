INSERT INTO aside_jobs (message)
SELECT CAST(job AS BLOB) FROM Jobs
WHERE job_type = 'warm-ups'
    AND (status IN ('Pending', 'Queued', 'Running') OR status = 'Failed' AND attempts < max_attempts)
ORDER BY run_at, id;
