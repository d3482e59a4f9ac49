"""Chat: a thread of messages with its composer."""
