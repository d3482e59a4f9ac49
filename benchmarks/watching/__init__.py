"""Benchmarks of what works while nobody looks: the watcher, rules and deliveries."""
