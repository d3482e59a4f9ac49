-- Tidying up by programs: a key closes, archives and deletes the runs of its organisation that have a slug.

create policy "keys delete" on public.streams for delete to authenticated
    using (slug is not null and org_id in (select private.ingest_orgs('runs')));
create policy "keys delete" on public.acquisition_scans for delete to authenticated
    using (slug is not null and org_id in (select private.ingest_orgs('runs')));
create policy "keys delete" on public.agent_executions for delete to authenticated
    using (slug is not null and org_id in (select private.ingest_orgs('runs')));

-- Raises the error of an operation on a run that does not exist.
create function private.raise_no_run(kind text, slug text, action text) returns void
language plpgsql set search_path = ''
as $$
begin
    perform private.raise_api_error('404', format(
        'There is no %s/%s to %s: check the slug, and whether it was deleted already.', kind, slug, action));
end
$$;

-- Returns the table of a kind of run, for format() with %I.
create function private.run_table(kind text) returns text
language sql immutable set search_path = ''
as $$
    select case kind when 'streams' then 'streams' when 'scans' then 'acquisition_scans' else 'agent_executions' end
$$;

-- Ends an unfinished run as cancelled, for all processes that report it; keeps its error unless the body has one.
-- A repetition is answered as the first was.
create function private.close_run(org uuid, kind text, slug text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    run_id uuid := private.update_run(
        private.read_report(org, kind, slug, '{"status": "cancelled"}'::jsonb || body));
    earlier private.reported_runs;
begin
    if run_id is not null then
        return jsonb_build_object('status', 200, 'id', run_id);
    end if;
    select * into earlier from private.reported_runs as run
    where run.kind = close_run.kind and run.org_id = org and run.slug = close_run.slug;
    if not found then
        perform private.raise_no_run(kind, slug, 'close');
    elsif earlier.status <> 'cancelled'
        or earlier.error is distinct from coalesce(body ->> 'error', earlier.error) then
        perform private.raise_finished(kind, slug, earlier.status);
    end if;
    return jsonb_build_object('status', 200, 'id', earlier.id);
end
$$;

-- Moves a run out of the lists, or back; a repetition keeps the time of the first.
create function private.archive_run(org uuid, kind text, slug text, is_archived boolean) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    run_id uuid;
begin
    execute format(
        'update public.%I as run set
             archived_at = case when $3 then coalesce(run.archived_at, private.event_time()) end
         where run.org_id = $1 and run.slug = $2 returning run.id', private.run_table(kind))
        into run_id using org, slug, is_archived;
    if run_id is null then
        perform private.raise_no_run(kind, slug, case when is_archived then 'archive' else 'unarchive' end);
    end if;
    return jsonb_build_object('status', 200, 'id', run_id);
end
$$;

-- Deletes a run with all that belongs to it: its log, its history, and the agents of a stream.
create function private.delete_run(org uuid, kind text, slug text) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    run_id uuid;
begin
    execute format(
        'delete from public.%I as run where run.org_id = $1 and run.slug = $2 returning run.id',
        private.run_table(kind))
        into run_id using org, slug;
    if run_id is null then
        perform private.raise_no_run(kind, slug, 'delete');
    end if;
    return jsonb_build_object('status', 200, 'id', run_id);
end
$$;

-- Runs one operation, at most once a day under its idempotency key. A failed operation writes nothing, so it may be
-- sent again under the same key.
create or replace function private.ingest_once(org uuid, operation jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    target constant text := operation ->> 'target';
    slug constant text := operation ->> 'slug';
    body constant jsonb := operation -> 'body';
    key constant text := operation ->> 'idempotency_key';
    hash constant text := operation ->> 'hash';
    reporter constant uuid := case when key is not null then private.claimed_ingest_key() end;
    earlier_hash text;
    result jsonb;
begin
    if key is not null then
        -- Waits for a concurrent request with the same key.
        insert into public.idempotency_keys as earlier (ingest_key, idempotency_key, request_hash)
        values (reporter, key, hash)
        on conflict (ingest_key, idempotency_key) do update
            set request_hash = excluded.request_hash, answer = null, created_at = excluded.created_at
            where earlier.created_at < clock_timestamp() - interval '1 day';
        if not found then
            select earlier.request_hash, earlier.answer into earlier_hash, result
            from public.idempotency_keys as earlier
            where earlier.ingest_key = reporter and earlier.idempotency_key = key;
            if earlier_hash is distinct from hash then
                perform private.raise_api_error('4IC', format(
                    'The idempotency key %s was used for another request: give each request its own.', to_json(key)));
            end if;
            return result;
        end if;
    end if;
    result := case operation ->> 'verb'
        when 'finish' then private.finish_run(org, target, slug, body)
        when 'close' then private.close_run(org, target, slug, body)
        when 'archive' then private.archive_run(org, target, slug, true)
        when 'unarchive' then private.archive_run(org, target, slug, false)
        when 'delete' then private.delete_run(org, target, slug)
        else case
            when target in ('streams', 'scans', 'agents') then private.upsert_run(org, target, slug, body)
            when target = 'logs' then private.append_log(org, body, private.clock_error(operation))
            when target = 'heartbeats' then private.heartbeat(org, body)
            else private.send_to_members(org, target, body)
        end
    end;
    if key is not null then
        update public.idempotency_keys as mine set answer = result
        where mine.ingest_key = reporter and mine.idempotency_key = key;
    end if;
    return result;
end
$$;

revoke execute on function
    private.raise_no_run(text, text, text), private.run_table(text), private.close_run(uuid, text, text, jsonb),
    private.archive_run(uuid, text, text, boolean), private.delete_run(uuid, text, text) from public;
grant execute on function
    private.raise_no_run(text, text, text), private.run_table(text), private.close_run(uuid, text, text, jsonb),
    private.archive_run(uuid, text, text, boolean), private.delete_run(uuid, text, text)
    to authenticated, service_role;
