"""Chat: threads about runs and alerts, and the chat of the organisation."""
