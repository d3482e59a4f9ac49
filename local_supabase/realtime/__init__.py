"""The Realtime server at `/realtime/v1`: Phoenix channels over WebSockets, authorised by the database's policies."""
