"""How changes arrive from a Realtime server."""
