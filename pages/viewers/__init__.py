"""Who is online and what they look at: what a window reports and shows."""
