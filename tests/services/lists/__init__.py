"""Tests of the rows of lists beyond what a feed holds."""
