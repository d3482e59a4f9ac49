"""Presentation of rows, statuses and times as JSON values and text."""
