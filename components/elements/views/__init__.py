"""Saved views in the sidebar."""
