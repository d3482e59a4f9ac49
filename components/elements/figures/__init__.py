"""Counters and tables of figures."""
