"""Teams for the windows of this process: signals of their changes, and the names of members."""
