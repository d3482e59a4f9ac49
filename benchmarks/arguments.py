"""What a baseline is told when it is started."""

import argparse


def baseline_arguments() -> argparse.Namespace:
    """`port`, `database_url` and `org`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--org", required=True)
    return parser.parse_args()
