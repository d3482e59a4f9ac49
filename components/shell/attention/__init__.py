"""Toasts, the tab's title and icon, and the tone."""
