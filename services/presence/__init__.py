"""Presence: who is online, what they look at, and who is typing."""
