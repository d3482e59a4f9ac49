"""Delivery: channels beyond the inbox, and the outbox from which messages leave for them at least once."""
