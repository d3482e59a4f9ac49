"""Reporting: the reporter of this process, which collects updates, and what ends the process."""
