"""The queries of history and the begin of a run, measured on an organisation of any size."""
