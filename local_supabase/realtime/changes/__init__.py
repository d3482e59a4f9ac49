"""Table changes (`postgres_changes`): replication stream, bindings, catalog and delivery."""
