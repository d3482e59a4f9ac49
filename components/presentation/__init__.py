"""What a row, a status and a time become on the page: JSON values and text."""
