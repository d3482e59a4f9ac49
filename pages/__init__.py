"""The routes of the app, one module each."""
