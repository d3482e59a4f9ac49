"""Running Livewatch: is everything as it must be, bringing a database up to date, forgetting what is old."""
