"""Reporting: runs, agents, loops, messages and logs of this process, and the reporter that collects their updates."""
