"""A board of charts of runs."""
