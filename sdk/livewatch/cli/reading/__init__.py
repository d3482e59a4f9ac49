"""`livewatch ls`, `show`, `logs` and `open`."""
