"""Schedules of jobs, and the watcher that notices what time alone changes."""
