"""Command-line arguments of the baselines."""

import argparse


def baseline_arguments() -> argparse.Namespace:
    """Parse `port`, `database_url` and `org`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--org", required=True)
    return parser.parse_args()
