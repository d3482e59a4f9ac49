"""Sign-in, sessions and identities."""
