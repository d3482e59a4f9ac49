"""Design tokens, base styles and theme."""
