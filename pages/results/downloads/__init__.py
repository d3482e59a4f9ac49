"""Downloads of what runs measure and make."""
