"""History, read from the database: progress, the last hour, logs of runs."""
