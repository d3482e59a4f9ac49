"""The Auth server: accounts, sessions, keys and the endpoints below `/auth/v1`."""
