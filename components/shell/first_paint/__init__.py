"""The first paint of a page: what a browser shows before its scripts have run."""
