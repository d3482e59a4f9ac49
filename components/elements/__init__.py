"""The custom elements: each a Python class with its browser code and styles beside it."""
