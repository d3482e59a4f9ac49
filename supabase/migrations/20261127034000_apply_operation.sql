-- What an operation of the ingest API does, apart from that it is done once.

-- Applies one operation of a report.
create function private.apply_operation(org uuid, operation jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    target constant text := operation ->> 'target';
    slug constant text := operation ->> 'slug';
    body constant jsonb := operation -> 'body';
begin
    if operation ->> 'verb' = 'finish' and body ? 'elapsed' then
        perform private.correct_beginning(org, target, slug, body);
    end if;
    return case operation ->> 'verb'
        when 'ping' then private.ping(org, slug, body)
        when 'finish' then private.finish_run(org, target, slug, body)
        when 'close' then private.close_run(org, target, slug, body)
        when 'archive' then private.archive_run(org, target, slug, true)
        when 'unarchive' then private.archive_run(org, target, slug, false)
        when 'delete' then private.delete_run(org, target, slug)
        else case
            when target in ('streams', 'scans', 'agents') then private.upsert_run(org, target, slug, body)
            when target = 'logs' then private.append_log(org, body, private.clock_error(operation))
            when target = 'metrics' then private.append_metrics(org, body, private.clock_error(operation))
            when target = 'heartbeats' then private.heartbeat(org, body)
            else private.send_to_members(org, target, body)
        end
    end;
end
$$;

-- Runs one operation, at most once a day under its idempotency key. A failed operation writes nothing, so it may be
-- sent again under the same key.
create or replace function private.ingest_once(org uuid, operation jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
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
    result := private.apply_operation(org, operation);
    if key is not null then
        update public.idempotency_keys as mine set answer = result
        where mine.ingest_key = reporter and mine.idempotency_key = key;
    end if;
    return result;
end
$$;

revoke execute on function private.apply_operation(uuid, jsonb) from public;
grant execute on function private.apply_operation(uuid, jsonb) to authenticated, service_role;
