"""Status pages: what the public sees of chosen jobs."""
