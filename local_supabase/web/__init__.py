"""The HTTP layer, shared by Auth and Realtime: request bodies, error responses, rate limits and the server."""
