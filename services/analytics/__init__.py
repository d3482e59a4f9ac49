"""Analytics: how many runs ended, ran and waited, and how long they took, over time."""
