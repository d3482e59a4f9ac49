"""Edits of runs by people."""
