"""Views: what a live element shows, computed from subscriptions as full states and patches."""
