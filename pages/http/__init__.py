"""HTTP: middleware, session and sign-in routes, headers, downloads, health."""
