"""The notes of a stream."""
