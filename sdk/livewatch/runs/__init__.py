"""Runs: agents, loops and bars of this process, and how they end."""
