"""Rules: of what happens in an organisation, whom to tell, how and how often."""
