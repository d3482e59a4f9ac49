"""Organisations, members, profiles, preferences and inboxes."""
