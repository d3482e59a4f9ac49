"""Settings, ingest keys, retention, and how to connect code."""
