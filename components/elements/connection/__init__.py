"""Connection chips."""
