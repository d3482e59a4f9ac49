"""Delivery: channels, couriers and the outbox."""
