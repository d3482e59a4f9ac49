"""Schedules: when the runs of a job are expected, and who may say so."""
