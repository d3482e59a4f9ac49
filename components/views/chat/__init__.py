"""Views of the chat: a thread, and what is unread."""
