-- Programs take and resolve runs for the team, by a key of the scope `commands`.

-- Returns the locked thread about a subject of an organisation, made if there is none.
create function private.thread_about(org uuid, subject_table text, subject_id uuid, name text) returns public.threads
language plpgsql set search_path = ''
as $$
declare
    thread public.threads;
begin
    select * into thread from public.threads as each
    where each.org_id = org and each.subject_table = thread_about.subject_table
        and each.subject_id = thread_about.subject_id for update;
    if found then
        return thread;
    end if;
    insert into public.threads (org_id, subject_table, subject_id, subject_name)
    values (org, thread_about.subject_table, thread_about.subject_id, thread_about.name)
    on conflict on constraint threads_org_id_subject_table_subject_id_key
        do update set subject_name = excluded.subject_name
    returning * into thread;
    return thread;
end
$$;

-- Notes in a locked thread, and of it, who does what about its subject.
create function private.note_handling(
    thread public.threads, handler uuid, handler_name text, handling text, note text, until timestamptz default null
) returns void
language plpgsql set search_path = ''
as $$
begin
    insert into public.messages (id, org_id, thread_id, number, author_id, author_name, kind, body)
    values (gen_random_uuid(), thread.org_id, thread.id, thread.last_number + 1, handler, note_handling.handler_name,
            'handling', note_handling.handling || coalesce(' ' || nullif(btrim(note), ''), ''));
    update public.threads as each
    set last_number = thread.last_number + 1, last_at = clock_timestamp(), handling = note_handling.handling,
        handler_id = handler, handler_name = note_handling.handler_name, handled_at = clock_timestamp(),
        snoozed_until = until
    where each.id = thread.id;
end
$$;

create or replace function private.open_thread(org uuid, subject_table text, subject_id uuid) returns public.threads
language plpgsql security definer set search_path = ''
as $$
declare
    name constant text := private.subject_name(org, subject_table, subject_id);
begin
    if org is null or org not in (select private.my_writable_orgs()) then
        raise exception 'Only operators and admins of the organisation write here.' using errcode = '42501';
    elsif name is null then
        raise exception 'This was deleted, or it belongs to somebody else.' using errcode = 'LW404';
    end if;
    return private.thread_about(org, subject_table, subject_id, name);
end
$$;

create or replace function public.handle_subject(
    org uuid, subject_table text, subject_id uuid, handling text, note text default '',
    until timestamptz default null
) returns void
language plpgsql security definer set search_path = ''
as $$
declare
    me constant uuid := auth.uid();
    thread public.threads;
begin
    if handling not in ('open', 'taken', 'snoozed', 'resolved') then
        raise exception 'The handling % is unknown.', to_json(handling) using errcode = 'LW422';
    elsif subject_table = 'organizations' then
        raise exception 'Only runs and alerts are handled.' using errcode = 'LW422';
    elsif char_length(coalesce(note, '')) > 2000 then
        raise exception 'A note has at most 2,000 characters.' using errcode = 'LW422';
    elsif (handling = 'snoozed') <> (until is not null) or until < now() or until > now() + interval '90 days' then
        raise exception 'Snooze until a time within 90 days.' using errcode = 'LW422';
    end if;
    thread := private.open_thread(org, subject_table, subject_id);
    if thread.handling = handle_subject.handling and thread.handler_id = me and until is null then
        return;
    end if;
    perform private.note_handling(thread, me, private.display_name(me), handling, note, until);
    perform private.move_read_position(thread, thread.last_number + 1);
end
$$;

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
    thread := private.thread_about(org, subject_table, subject_id, name);
    if thread.handling = handle_by_key.handling and thread.handler_id = key.id and btrim(note) = '' then
        return false;
    end if;
    perform private.note_handling(thread, key.id, 'Key ' || key.name, handling, note);
    return true;
end
$$;
revoke execute on function
    private.thread_about(uuid, text, uuid, text),
    private.note_handling(public.threads, uuid, text, text, text, timestamptz),
    private.handle_by_key(uuid, text, uuid, text, text) from public;
grant execute on function private.handle_by_key(uuid, text, uuid, text, text) to authenticated, service_role;
