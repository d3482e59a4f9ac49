"""Analytics: boards of charts of the runs of an organisation."""
