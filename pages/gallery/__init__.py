"""Gallery of all components in all states, for development."""
