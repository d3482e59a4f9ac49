-- The operations of the ingest API: one operation or a batch in one round trip. These functions run as their caller, so
-- row-level security decides. A body holds only what the program sent, validated and without nulls.
--
-- Read from the bottom: `ingest` runs a batch, `ingest_once` one operation, the functions above it each kind of them.

-- Raises the error that the API answers with: an HTTP status, a sentence, and the field of the body that is to blame.
create function private.raise_api_error(status text, message text, field text default '') returns void
language plpgsql set search_path = ''
as $$
begin
    raise exception '%', message using errcode = 'LW' || status, detail = field;
end
$$;

-- The runs that programs report, of all kinds in one shape, under the policies of the caller.
create view private.reported_runs with (security_invoker = true) as
    select 'streams' as kind, org_id, slug, id, goal_status as status, is_finished, error, null as output_summary
    from public.streams
    union all
    select 'scans', org_id, slug, id, status, is_finished, error, null from public.acquisition_scans
    union all
    select 'agents', org_id, slug, id, status, is_finished, error, output_summary from public.agent_executions;
grant select on private.reported_runs to authenticated, service_role;

-- One report of a run. `kind` is 'streams', 'scans' or 'agents', as in the API's paths. A null `stream_id` keeps the
-- run's stream; a null `finished_at` keeps it going.
create type private.run_report as (
    org uuid,
    kind text,
    slug text,
    body jsonb,
    stream_id uuid,
    ingest_key uuid,
    reported_at timestamptz,
    finished_at timestamptz
);

-- Returns the id of the stream that a scan or an agent belongs to; creates the stream if the slug is new.
create function private.ensure_stream(org uuid, slug text) returns uuid
language plpgsql set search_path = ''
as $$
declare
    stream_id uuid;
begin
    select stream.id into stream_id
    from public.streams as stream where stream.org_id = org and stream.slug = ensure_stream.slug;
    if stream_id is null then
        insert into public.streams as stream (org_id, slug, name, goal_status, ingest_key)
        values (
            org, ensure_stream.slug, case ensure_stream.slug when 'default' then 'Default' else ensure_stream.slug end,
            'in_progress', private.claimed_ingest_key()
        )
        on conflict on constraint streams_slug_key do nothing returning stream.id into stream_id;
    end if;
    if stream_id is null then
        select stream.id into stream_id
        from public.streams as stream where stream.org_id = org and stream.slug = ensure_stream.slug;
    end if;
    return stream_id;
end
$$;

-- Updates an unfinished run and returns its id; null if there is none. What the body leaves out stays.
create function private.update_run(report private.run_report) returns uuid
language plpgsql set search_path = ''
as $$
declare
    body constant jsonb := report.body;
    new_status constant text := report.body ->> 'status';
    run_id uuid;
begin
    if report.kind = 'streams' then
        update public.streams as run set
            name = coalesce(body ->> 'name', run.name),
            description = coalesce(body ->> 'description', run.description),
            stream_type = coalesce(body ->> 'stream_type', run.stream_type),
            total = coalesce((body ->> 'total')::bigint, run.total),
            completed = coalesce((body ->> 'completed')::bigint, run.completed)
                + coalesce((body ->> 'advance')::bigint, 0),
            goal_status = coalesce(new_status, run.goal_status),
            target_metrics = coalesce(body -> 'target_metrics', run.target_metrics),
            metadata = coalesce(body -> 'metadata', run.metadata),
            error = case when body ? 'error' then body ->> 'error' else run.error end,
            finished_at = report.finished_at,
            heartbeat_at = report.reported_at, ingest_key = report.ingest_key
        where run.org_id = report.org and run.slug = report.slug and not run.is_finished
        returning run.id into run_id;
    elsif report.kind = 'scans' then
        update public.acquisition_scans as run set
            name = coalesce(body ->> 'name', run.name),
            stream_id = coalesce(report.stream_id, run.stream_id),
            status = coalesce(new_status, run.status),
            steps = coalesce(body -> 'steps', run.steps),
            current_step = coalesce(body ->> 'step', run.current_step),
            progress_percentage = coalesce(
                (body ->> 'progress')::double precision, case new_status when 'completed' then 100 end,
                run.progress_percentage),
            targets_identified = coalesce((body ->> 'targets_identified')::bigint, run.targets_identified),
            targets_analyzed = coalesce((body ->> 'targets_analyzed')::bigint, run.targets_analyzed),
            error = case when body ? 'error' then body ->> 'error' else run.error end,
            started_at = coalesce(run.started_at, case when new_status <> 'configuring' then report.reported_at end),
            completed_at = report.finished_at,
            heartbeat_at = report.reported_at, ingest_key = report.ingest_key
        where run.org_id = report.org and run.slug = report.slug and not run.is_finished
        returning run.id into run_id;
    else
        update public.agent_executions as run set
            agent_id = coalesce(body ->> 'agent_id', run.agent_id),
            agent_name = coalesce(body ->> 'agent_name', run.agent_name),
            stream_id = coalesce(report.stream_id, run.stream_id),
            status = coalesce(new_status, run.status),
            input_summary = coalesce(body ->> 'input_summary', run.input_summary),
            output_summary = coalesce(body ->> 'output_summary', run.output_summary),
            error = case when body ? 'error' then body ->> 'error' else run.error end,
            started_at = coalesce(run.started_at, case when new_status <> 'pending' then report.reported_at end),
            completed_at = report.finished_at,
            duration_ms =
                extract(epoch from report.finished_at - coalesce(run.started_at, report.reported_at)) * 1000,
            heartbeat_at = report.reported_at, ingest_key = report.ingest_key
        where run.org_id = report.org and run.slug = report.slug and not run.is_finished
        returning run.id into run_id;
    end if;
    return run_id;
end
$$;

-- Inserts a run and returns its id; null if the slug is taken.
create function private.insert_run(report private.run_report) returns uuid
language plpgsql set search_path = ''
as $$
declare
    body constant jsonb := report.body;
    new_status constant text := report.body ->> 'status';
    run_id uuid;
begin
    if report.kind = 'streams' then
        insert into public.streams as run (
            org_id, slug, name, description, stream_type, total, completed, goal_status, target_metrics, metadata,
            finished_at, heartbeat_at, ingest_key
        ) values (
            report.org, report.slug, coalesce(body ->> 'name', report.slug), coalesce(body ->> 'description', ''),
            coalesce(body ->> 'stream_type', 'general'), coalesce((body ->> 'total')::bigint, 0),
            coalesce((body ->> 'completed')::bigint, 0) + coalesce((body ->> 'advance')::bigint, 0),
            coalesce(new_status, 'in_progress'), coalesce(body -> 'target_metrics', '{}'),
            coalesce(body -> 'metadata', '{}'), report.finished_at, report.reported_at, report.ingest_key
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    elsif report.kind = 'scans' then
        insert into public.acquisition_scans as run (
            org_id, slug, name, stream_id, status, steps, current_step, progress_percentage, targets_identified,
            targets_analyzed, started_at, completed_at, heartbeat_at, ingest_key
        ) values (
            report.org, report.slug, coalesce(body ->> 'name', report.slug), report.stream_id,
            coalesce(new_status, 'scanning'), coalesce(body -> 'steps', '[]'), body ->> 'step',
            coalesce((body ->> 'progress')::double precision, 0), coalesce((body ->> 'targets_identified')::bigint, 0),
            coalesce((body ->> 'targets_analyzed')::bigint, 0),
            case when new_status is distinct from 'configuring' then report.reported_at end, report.finished_at,
            report.reported_at, report.ingest_key
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    else
        insert into public.agent_executions as run (
            org_id, slug, stream_id, agent_id, agent_name, status, input_summary, output_summary, started_at,
            completed_at, duration_ms, heartbeat_at, ingest_key
        ) values (
            report.org, report.slug, coalesce(report.stream_id, private.ensure_stream(report.org, 'default')),
            coalesce(body ->> 'agent_id', body ->> 'agent_name', report.slug),
            coalesce(body ->> 'agent_name', report.slug), coalesce(new_status, 'running'), body ->> 'input_summary',
            body ->> 'output_summary', case when new_status is distinct from 'pending' then report.reported_at end,
            report.finished_at, case when report.finished_at is not null then 0 end,
            report.reported_at, report.ingest_key
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    end if;
    return run_id;
end
$$;

-- Builds the report that a body makes. A status that ends a run finishes it.
create function private.read_report(org uuid, kind text, slug text, body jsonb) returns private.run_report
language plpgsql set search_path = ''
as $$
declare
    report private.run_report;
begin
    report.org := org;
    report.kind := kind;
    report.slug := slug;
    report.body := body;
    report.ingest_key := private.claimed_ingest_key();
    report.reported_at := clock_timestamp();
    if body ->> 'status' in ('completed', 'failed', 'cancelled') then
        report.finished_at := report.reported_at;
    end if;
    if body ? 'stream' then
        report.stream_id := private.ensure_stream(org, body ->> 'stream');
    end if;
    return report;
end
$$;

-- Raises the error for a report about a finished run.
create function private.raise_finished(kind text, slug text, status text) returns void
language plpgsql set search_path = ''
as $$
begin
    perform private.raise_api_error('409', format(
        '%s/%s has finished (%s) and cannot be changed: report a new run under a new slug.', kind, slug, status));
end
$$;

-- Updates a run, or creates it at the first report of its slug. Tries again when another report comes in between.
create function private.upsert_run(org uuid, kind text, slug text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    report private.run_report;
    run_id uuid;
    finished_status text;
begin
    for attempt in 1..3 loop
        report := private.read_report(org, kind, slug, body);
        run_id := private.update_run(report);
        if run_id is not null then
            return jsonb_build_object('status', 200, 'id', run_id);
        end if;
        run_id := private.insert_run(report);
        if run_id is not null then
            return jsonb_build_object('status', 201, 'id', run_id);
        end if;
        select run.status into finished_status from private.reported_runs as run
        where run.kind = report.kind and run.org_id = report.org and run.slug = report.slug and run.is_finished;
        if found then
            perform private.raise_finished(kind, slug, finished_status);
        end if;
    end loop;
    raise exception '%/% was changed by others during 3 attempts: report it again.', kind, slug using errcode = '40001';
end
$$;

-- Finishes a run. A repetition of the same finish is answered as the first was.
create function private.finish_run(org uuid, kind text, slug text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    report private.run_report :=
        private.read_report(org, kind, slug, '{"status": "completed", "error": null}'::jsonb || body);
    run_id uuid;
    earlier private.reported_runs;
begin
    -- Also by a status that ends no run by itself, as 'blocked' of a stream.
    report.finished_at := report.reported_at;
    run_id := private.update_run(report);
    if run_id is not null then
        return jsonb_build_object('status', 200, 'id', run_id);
    end if;
    select * into earlier from private.reported_runs as run
    where run.kind = report.kind and run.org_id = report.org and run.slug = report.slug;
    if not found then
        perform private.raise_api_error(
            '404', format('There is no %s/%s to finish: report it with PUT first.', kind, slug));
    elsif earlier.status <> report.body ->> 'status'
        or earlier.error is distinct from coalesce(body ->> 'error', earlier.error)
        or earlier.output_summary is distinct from coalesce(body ->> 'output_summary', earlier.output_summary) then
        perform private.raise_finished(kind, slug, earlier.status);
    end if;
    return jsonb_build_object('status', 200, 'id', earlier.id);
end
$$;

-- Records a heartbeat of an unfinished run and returns its id; null if there is none. A null interval stays as it was.
create function private.touch_run(org uuid, kind text, slug text, declared_interval double precision) returns uuid
language plpgsql set search_path = ''
as $$
declare
    now_at constant timestamptz := clock_timestamp();
    reporter constant uuid := private.claimed_ingest_key();
    run_id uuid;
begin
    if kind = 'streams' then
        update public.streams as run set
            heartbeat_at = now_at, heartbeat_interval = coalesce(declared_interval, run.heartbeat_interval),
            ingest_key = reporter
        where run.org_id = org and run.slug = touch_run.slug and not run.is_finished returning run.id into run_id;
    elsif kind = 'scans' then
        update public.acquisition_scans as run set
            heartbeat_at = now_at, heartbeat_interval = coalesce(declared_interval, run.heartbeat_interval),
            ingest_key = reporter
        where run.org_id = org and run.slug = touch_run.slug and not run.is_finished returning run.id into run_id;
    else
        update public.agent_executions as run set
            heartbeat_at = now_at, heartbeat_interval = coalesce(declared_interval, run.heartbeat_interval),
            ingest_key = reporter
        where run.org_id = org and run.slug = touch_run.slug and not run.is_finished returning run.id into run_id;
    end if;
    return run_id;
end
$$;

-- Records heartbeats, and sorts the paths into alive, finished and unknown; 404 if all are unknown.
create function private.heartbeat(org uuid, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    declared_interval constant double precision := coalesce((body ->> 'interval')::double precision, 15);
    path text;
    run_kind text;
    run_slug text;
    alive text[] := array[]::text[];
    finished text[] := array[]::text[];
    unknown text[] := array[]::text[];
begin
    -- Sorted, so that two programs with the same runs do not wait for each other's rows.
    for path in select distinct value from jsonb_array_elements_text(body -> 'runs') as value order by value loop
        run_kind := split_part(path, '/', 1);
        run_slug := split_part(path, '/', 2);
        if private.touch_run(org, run_kind, run_slug, declared_interval) is not null then
            alive := alive || path;
        elsif exists (
            select from private.reported_runs as run
            where run.kind = run_kind and run.org_id = org and run.slug = run_slug
        ) then
            finished := finished || path;
        else
            unknown := unknown || path;
        end if;
    end loop;
    if cardinality(alive) + cardinality(finished) = 0 then
        perform private.raise_api_error('404', format('There is no %s: report it with PUT first.', unknown[1]), 'runs');
    end if;
    return jsonb_build_object('status', 200, 'alive', to_jsonb(alive), 'finished', to_jsonb(finished),
                              'unknown', to_jsonb(unknown));
end
$$;

-- Appends lines to the log of a run. They may come after its finish, which programs report first, and change nothing.
create function private.append_log(org uuid, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    run_kind constant text := split_part(body ->> 'run', '/', 1);
    run_slug constant text := split_part(body ->> 'run', '/', 2);
    subject_id uuid := private.touch_run(org, run_kind, run_slug, null);
begin
    if subject_id is null then
        select run.id into subject_id from private.reported_runs as run
        where run.kind = run_kind and run.org_id = org and run.slug = run_slug;
    end if;
    if subject_id is null then
        perform private.raise_api_error(
            '404', format('There is no %s: report it with PUT first.', body ->> 'run'), 'run');
    end if;
    insert into public.log_lines (org_id, run_id, at, level, message)
    select org, subject_id, coalesce((line ->> 'at')::timestamptz, clock_timestamp()),
        coalesce(line ->> 'level', 'info'), line ->> 'message'
    from jsonb_array_elements(body -> 'lines') with ordinality as given (line, number) order by number;
    return jsonb_build_object('status', 201, 'id', subject_id, 'lines', jsonb_array_length(body -> 'lines'));
end
$$;

-- Sends an alert or a notification: one row for each recipient.
create function private.send_to_members(org uuid, target text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    recipients constant uuid[] := private.ingest_recipients(org, body -> 'to');
    -- Generated here, because a sender may not read its rows back.
    ids constant uuid[] := array(select gen_random_uuid() from unnest(recipients));
    parent_id uuid;
begin
    if target = 'alerts' then
        if body ? 'stream' then
            parent_id := private.ingest_stream(org, body ->> 'stream');
            if parent_id is null then
                perform private.raise_api_error(
                    '404', format('There is no streams/%s: report it with PUT first.', body ->> 'stream'), 'stream');
            end if;
        end if;
        insert into public.signal_alerts
            (id, org_id, user_id, stream_id, company_name, target_name, signal_type, signal_strength, metadata)
        select id, org, recipient, parent_id, body ->> 'company_name', body ->> 'target_name',
            body ->> 'signal_type', (body ->> 'signal_strength')::smallint, coalesce(body -> 'metadata', '{}')
        from unnest(ids, recipients) as sent (id, recipient);
    else
        insert into public.notifications (id, org_id, user_id, type, title, message, action_url)
        select id, org, recipient, coalesce(body ->> 'type', 'info'), body ->> 'title',
            coalesce(body ->> 'message', ''), body ->> 'action_url'
        from unnest(ids, recipients) as sent (id, recipient);
    end if;
    return jsonb_build_object('status', 201, 'id', ids[1], 'ids', to_jsonb(ids));
end
$$;

-- Runs one operation, at most once a day under its idempotency key. A failed operation writes nothing, so it may be
-- sent again under the same key.
create function private.ingest_once(org uuid, operation jsonb) returns jsonb
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
    result := case
        when operation ->> 'verb' = 'finish' then private.finish_run(org, target, slug, body)
        when target in ('streams', 'scans', 'agents') then private.upsert_run(org, target, slug, body)
        when target = 'logs' then private.append_log(org, body)
        when target = 'heartbeats' then private.heartbeat(org, body)
        else private.send_to_members(org, target, body)
    end;
    if key is not null then
        update public.idempotency_keys as mine set answer = result
        where mine.ingest_key = reporter and mine.idempotency_key = key;
    end if;
    return result;
end
$$;

-- Makes batches that write the same runs wait for each other, so that they cannot deadlock on rows. The runs share 64
-- locks, taken in order: few enough for any server's lock table, and batches of other runs pass.
create function private.lock_runs(org uuid, operations jsonb) returns void
language plpgsql set search_path = ''
as $$
declare
    lock integer;
begin
    for lock in
        with operation as (
            select value ->> 'target' as target, value ->> 'slug' as slug, value -> 'body' as body
            from jsonb_array_elements(operations)
        )
        select distinct hashtext(path) & 63 from (
            select target || '/' || slug from operation
            union select 'streams/' || (body ->> 'stream') from operation
            union select 'streams/default' from operation where target = 'agents' and not body ? 'stream'
            union select body ->> 'run' from operation
            union select jsonb_array_elements_text(body -> 'runs') from operation where target = 'heartbeats'
        ) as written (path)
        where path is not null
        order by 1
    loop
        perform pg_advisory_xact_lock(hashtextextended(org::text, lock));
    end loop;
end
$$;

-- Runs operations in order, each in a savepoint; returns an answer or an error for each.
create function private.ingest(org uuid, operations jsonb, touch boolean) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    operation jsonb;
    answers jsonb[] := array[]::jsonb[];
    field text;
    constraint_name text;
begin
    if private.ingest_key() is null then
        raise exception 'The key % is revoked: use another.', private.claimed_ingest_key() using errcode = '42501';
    end if;
    if jsonb_array_length(operations) > 1 then
        perform private.lock_runs(org, operations);
    end if;
    for operation in select value from jsonb_array_elements(operations) loop
        begin
            answers := answers || private.ingest_once(org, operation);
        exception
            when sqlstate 'LW404' or sqlstate 'LW409' or sqlstate 'LW422' or sqlstate 'LW4IC'
                or check_violation or data_exception or object_not_in_prerequisite_state then
                get stacked diagnostics field = pg_exception_detail, constraint_name = constraint_name;
                answers := answers || jsonb_build_object(
                    'refused', sqlstate, 'message', sqlerrm, 'constraint', nullif(constraint_name, ''),
                    'field', nullif(case when sqlstate like 'LW%' then field end, ''));
        end;
    end loop;
    if touch then
        perform private.touch_ingest_key();
    end if;
    return to_jsonb(answers);
end
$$;

revoke execute on all functions in schema private from public;
grant execute on function
    private.raise_api_error(text, text, text), private.raise_finished(text, text, text),
    private.ensure_stream(uuid, text), private.read_report(uuid, text, text, jsonb),
    private.update_run(private.run_report), private.insert_run(private.run_report),
    private.upsert_run(uuid, text, text, jsonb), private.finish_run(uuid, text, text, jsonb),
    private.touch_run(uuid, text, text, double precision), private.heartbeat(uuid, jsonb),
    private.append_log(uuid, jsonb), private.send_to_members(uuid, text, jsonb),
    private.ingest_once(uuid, jsonb), private.lock_runs(uuid, jsonb), private.ingest(uuid, jsonb, boolean)
    to authenticated, service_role;
