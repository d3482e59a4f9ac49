"""Metrics and artefacts in the API."""
