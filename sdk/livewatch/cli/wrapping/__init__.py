"""`livewatch run`: the child process, the progress in its output, and what becomes of it."""
