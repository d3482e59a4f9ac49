"""Charts of progress and of runs over time."""
