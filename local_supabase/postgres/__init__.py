"""The embedded PostgreSQL: installation, process, connection pool, bootstrap and migrations."""
