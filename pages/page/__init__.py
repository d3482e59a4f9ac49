"""Foundations of every page: context, URL state, preferences, routing."""
