"""A small, faithful local Supabase: embedded PostgreSQL, Auth and Realtime, in one child process."""
