"""Endpoints of the API that read."""
