"""Lists of rows, their controls, and one row in full."""
