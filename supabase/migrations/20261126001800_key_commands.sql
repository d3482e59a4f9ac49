-- Keys that close, archive and delete runs without reporting any.

alter table public.ingest_keys
    drop constraint ingest_keys_scopes_check,
    add constraint ingest_keys_scopes_check
        check (cardinality(scopes) > 0 and scopes <@ array['runs', 'alerts', 'notifications', 'read', 'commands']);

create or replace function private.readable_orgs() returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select key.org_id from public.ingest_keys as key
    where key.id = (select private.claimed_ingest_key()) and private.is_valid(key) and key.scopes && array['runs', 'read', 'commands']
$$;

-- Returns the organisation of the current key if it may change runs that exist: by reports or by commands. Which of the
-- two, the API decides from the operation.
create function private.commandable_orgs() returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select key.org_id from public.ingest_keys as key
    where key.id = (select private.claimed_ingest_key()) and private.is_valid(key) and key.scopes && array['runs', 'commands']
$$;

do $$
declare
    name text;
begin
    foreach name in array array['streams', 'acquisition_scans', 'agent_executions'] loop
        execute format('alter policy "keys update" on public.%I
            using (slug is not null and org_id in (select private.commandable_orgs()))', name);
        execute format('alter policy "keys delete" on public.%I
            using (slug is not null and org_id in (select private.commandable_orgs()))', name);
    end loop;
end
$$;

revoke execute on all functions in schema private from public;
grant execute on function private.commandable_orgs() to authenticated, service_role;
