"""The wire protocol: frames, join parameters, limits and the WebSocket transport."""
