"""Lists of rows, their controls, and the details of a row."""
