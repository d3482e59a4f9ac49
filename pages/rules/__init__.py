"""Rules and channels: who is told what, and where."""
