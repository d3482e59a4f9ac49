"""Status pages and badges, which need no sign-in, and the page on which they are made."""
