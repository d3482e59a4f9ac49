"""Mails of the app itself: invitations, and notes to people who have an account already."""
