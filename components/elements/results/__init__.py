"""What runs measure and make, as charts and lists."""
