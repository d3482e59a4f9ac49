"""Settings, ingest keys, data retention, and the page for connecting code."""
