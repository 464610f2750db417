"""Background work: jobs, leases, queues, worker threads, retries, retention."""
