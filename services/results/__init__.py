"""What runs measure and make: metrics and artefacts."""
