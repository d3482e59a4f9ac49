"""Services of the app, without a user interface; no module imports nicegui."""
