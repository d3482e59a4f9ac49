"""Editing: the plan of a stream, and what people changed of it."""
