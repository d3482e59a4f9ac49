"""The Realtime endpoints: WebSocket and HTTP broadcast."""
