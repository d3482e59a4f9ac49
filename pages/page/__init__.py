"""What every page is built from: context, URL state, preferences, routing."""
