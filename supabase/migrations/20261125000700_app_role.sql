-- The role that the app logs in as. It holds no privilege of its own: each transaction takes the signed-in user's role
-- and claims, and row-level security decides. Give it a password on a hosted project with
--   alter role livewatch_app login password '…';
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'livewatch_app') then
        create role livewatch_app noinherit nologin;
    end if;
end
$$;
grant authenticated to livewatch_app;
