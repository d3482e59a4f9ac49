"""Design tokens, base styles, and the theme."""
