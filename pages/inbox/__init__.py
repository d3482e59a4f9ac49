"""Alerts and notifications: pages, drawer, and announcements."""
