"""What leads from a key to the first report."""
