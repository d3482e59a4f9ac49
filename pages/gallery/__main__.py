"""Serves the gallery: `python -m pages.gallery --port 8090`."""

from pages.gallery.gallery import main

main()
