"""Notes of streams: documents that several people type into at once."""
