"""Producers that do real work and report it."""
