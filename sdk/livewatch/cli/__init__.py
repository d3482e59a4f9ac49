"""The command line: `livewatch run`, `progress`, `alert`, `notify`, `check` and `tail`."""
