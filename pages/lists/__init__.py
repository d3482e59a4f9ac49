"""Lists with controls, details of a row, and counters."""
