"""A browser window: what changed is collected and sent to it in one message a frame."""
