"""The Realtime server at `/realtime/v1`: Phoenix channels over WebSockets, authorized by database policies."""
