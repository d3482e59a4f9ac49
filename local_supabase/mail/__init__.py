"""E-mail: the SMTP server's address, messages, and their delivery in the background."""
