"""The dashboard, Live Monitoring and the page of a stream."""
