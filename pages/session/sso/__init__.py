"""Single sign-on: its routes, its cookies, and the addresses of Auth that browsers visit during it."""
