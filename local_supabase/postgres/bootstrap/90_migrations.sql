-- The migration history, in the Supabase CLI's format. Idempotent.

create schema if not exists supabase_migrations authorization postgres;
create table if not exists supabase_migrations.schema_migrations (
    version text primary key,
    statements text[],
    name text
);
alter table supabase_migrations.schema_migrations owner to postgres;
create table if not exists supabase_migrations.seed_files (path text primary key, hash text not null);
alter table supabase_migrations.seed_files owner to postgres;
