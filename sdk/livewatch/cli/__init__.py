"""The command line `livewatch`; `livewatch.cli.command` lists its commands."""
