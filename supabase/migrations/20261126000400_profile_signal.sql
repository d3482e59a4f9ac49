-- Windows of a user, in every process, learn that the profile changed; they read it again under the user's own claims.

create function private.announce_profile() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform realtime.send('{"table": "profiles"}', 'UPDATE', 'user:' || new.user_id, true);
    return null;
end
$$;
revoke execute on function private.announce_profile() from public;

create trigger announce_profile after update of preferences on public.profiles
    for each row when (new.preferences is distinct from old.preferences)
    execute function private.announce_profile();

-- For subscribers that use postgres_changes.
alter publication supabase_realtime add table public.profiles;
