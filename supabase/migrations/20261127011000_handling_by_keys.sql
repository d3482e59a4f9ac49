-- Programs take and resolve runs for the team, by a key of the scope `commands`.

-- Takes, opens again or resolves a run in the name of the current key, and says so in its thread; returns whether
-- anything changed. Null if the key may not, or there is no such run in its organisation.
create function private.handle_by_key(
    org uuid, subject_table text, subject_id uuid, handling text, note text default ''
) returns boolean
language plpgsql security definer set search_path = ''
as $$
declare
    key public.ingest_keys;
    name constant text := private.subject_name(org, subject_table, subject_id);
    thread public.threads;
begin
    select * into key from public.ingest_keys as each
    where each.id = (select private.claimed_ingest_key()) and private.is_valid(each) and each.org_id = org
        and 'commands' = any (each.scopes);
    if key.id is null or name is null
        or subject_table not in ('streams', 'acquisition_scans', 'agent_executions') then
        return null;
    end if;
    insert into public.threads (org_id, subject_table, subject_id, subject_name)
    values (org, handle_by_key.subject_table, handle_by_key.subject_id, name)
    on conflict on constraint threads_org_id_subject_table_subject_id_key
        do update set subject_name = excluded.subject_name
    returning * into thread;
    if thread.handling = handle_by_key.handling and thread.handler_id = key.id and btrim(note) = '' then
        return false;
    end if;
    insert into public.messages (id, org_id, thread_id, number, author_id, author_name, kind, body)
    values (gen_random_uuid(), org, thread.id, thread.last_number + 1, key.id, 'Key ' || key.name, 'handling',
            handle_by_key.handling || coalesce(' ' || nullif(btrim(note), ''), ''));
    update public.threads as each
    set last_number = thread.last_number + 1, last_at = clock_timestamp(), handling = handle_by_key.handling,
        handler_id = key.id, handler_name = 'Key ' || key.name, handled_at = clock_timestamp(), snoozed_until = null
    where each.id = thread.id;
    return true;
end
$$;
revoke execute on function private.handle_by_key(uuid, text, uuid, text, text) from public;
grant execute on function private.handle_by_key(uuid, text, uuid, text, text) to authenticated, service_role;
