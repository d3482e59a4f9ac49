"""Operation of Livewatch: checks, migrations, metrics, readiness, retention and synthetic load."""
