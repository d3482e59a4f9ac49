"""Couriers: each takes a message to one kind of channel, and returns what the other side answered."""
