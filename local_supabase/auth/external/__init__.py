"""Sign-in by an external OpenID Connect provider: `/authorize`, `/callback`, and the users whom it identifies."""
