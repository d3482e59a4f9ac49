"""Toasts, unread count in the tab's title and icon, and tone."""
