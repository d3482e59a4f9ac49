"""Work in the background: on request, coalesced, and every few seconds."""
