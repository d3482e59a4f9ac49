"""Delivery of pages and their files to browsers: encodings, preloads and the first paint."""
