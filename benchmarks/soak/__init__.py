"""Soak: the app in three browser windows under random faults of its network, database, processes and tokens."""
