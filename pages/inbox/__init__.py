"""Alerts and notifications: their pages, the drawer, and what asks for attention."""
