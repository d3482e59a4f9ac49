"""Lists with controls, details of one row, and the counters above them."""
