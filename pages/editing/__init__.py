"""Editing: the plan of a stream, its edits, and new streams."""
