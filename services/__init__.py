"""What the app knows and does, without a user interface: nothing here imports nicegui."""
