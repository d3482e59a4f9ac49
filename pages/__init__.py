"""Pages and HTTP routes of the app."""
