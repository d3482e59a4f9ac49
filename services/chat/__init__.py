"""Chat: what people write about runs, alerts and to each other."""
