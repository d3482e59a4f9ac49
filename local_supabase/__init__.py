"""Local Supabase: embedded PostgreSQL with Supabase-compatible Auth and Realtime, in one child process."""
