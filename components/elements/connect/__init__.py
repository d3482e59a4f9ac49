"""Elements for connecting code: snippets, ingest keys and the first report."""
