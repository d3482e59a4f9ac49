"""Dashboard, Live Monitoring, the System tab and the page of a stream."""
