"""Custom elements: each a Python class with its JavaScript and styles next to it."""
