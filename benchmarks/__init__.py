"""Benchmarks of the whole product, from a commit in the database to the pixel; `make bench` runs them."""
