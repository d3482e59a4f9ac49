"""`livewatch mcp`: runs, logs and evidence for AI assistants."""
