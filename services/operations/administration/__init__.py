"""Commands for whoever runs the app, as the owner of the tables: ingest keys and users, without a browser."""
