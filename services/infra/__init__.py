"""Database, backend, logging and rate limiting."""
