"""Endpoints of jobs: pings and schedules."""
