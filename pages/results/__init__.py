"""Sections of what runs measure and make."""
