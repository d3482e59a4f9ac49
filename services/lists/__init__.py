"""The rows of a list beyond what a feed holds: the query of a list in SQL, pages by keyset, counts and histograms."""
