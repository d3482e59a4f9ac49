"""Sessions: signing in and out, and the pages that need no session."""
