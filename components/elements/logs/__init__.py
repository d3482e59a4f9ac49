"""Logs of events and of runs."""
