"""Demo of the local Supabase, and its example scan."""
