"""Views of lists: their rows from the feed and the database, their controls and counts, and saved views."""
