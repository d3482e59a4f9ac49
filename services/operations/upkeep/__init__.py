"""Upkeep: what one process of several does with time: presence, retention and roll-ups."""
