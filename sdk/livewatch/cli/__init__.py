"""The command line, `livewatch`: one module per command, or per group of them."""
