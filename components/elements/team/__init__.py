"""Members and invitations of an organisation."""
