"""Artefacts on their way to the server."""
