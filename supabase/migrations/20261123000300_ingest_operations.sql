-- What the ingest API does, an operation or a batch in one round trip. Nothing here is above row-level security: these
-- functions run as who calls them, and the policies decide. A body holds only what the program gave, already validated.

create function private.refuse(status text, message text, field text default '') returns void
language plpgsql set search_path = ''
as $$
begin
    raise exception '%', message using errcode = 'LW' || status, detail = field;
end
$$;

-- What a write to a finished run is told.
create function private.refuse_finished(path text, status text) returns void
language plpgsql set search_path = ''
as $$
begin
    perform private.refuse('409', format(
        '%s has finished (%s) and is not rewritten: report a new run under a new slug.', path, status));
end
$$;

create function private.put_stream(org uuid, name_given text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
    reporter uuid := private.claimed_ingest_key();
    run uuid;
    ended text;
begin
    for attempt in 1..3 loop
        update public.streams as stream set
            name = coalesce(body ->> 'name', stream.name),
            description = coalesce(body ->> 'description', stream.description),
            stream_type = coalesce(body ->> 'stream_type', stream.stream_type),
            total = coalesce((body ->> 'total')::bigint, stream.total),
            completed = coalesce((body ->> 'completed')::bigint, stream.completed)
                + coalesce((body ->> 'advance')::bigint, 0),
            goal_status = coalesce(body ->> 'status', stream.goal_status),
            target_metrics = coalesce(body -> 'target_metrics', stream.target_metrics),
            metadata = coalesce(body -> 'metadata', stream.metadata),
            heartbeat_at = now_at, ingest_key = reporter
        where stream.org_id = org and stream.slug = name_given and stream.finished_at is null
        returning stream.id into run;
        if run is not null then
            return jsonb_build_object('status', 200, 'id', run);
        end if;
        insert into public.streams (
            org_id, slug, name, description, stream_type, total, completed, goal_status, target_metrics, metadata,
            heartbeat_at, ingest_key
        ) values (
            org, name_given, coalesce(body ->> 'name', name_given), coalesce(body ->> 'description', ''),
            coalesce(body ->> 'stream_type', 'general'), coalesce((body ->> 'total')::bigint, 0),
            coalesce((body ->> 'completed')::bigint, 0) + coalesce((body ->> 'advance')::bigint, 0),
            coalesce(body ->> 'status', 'in_progress'), coalesce(body -> 'target_metrics', '{}'),
            coalesce(body -> 'metadata', '{}'), now_at, reporter
        ) on conflict (org_id, slug) do nothing returning id into run;
        if run is not null then
            return jsonb_build_object('status', 201, 'id', run);
        end if;
        select stream.goal_status into ended from public.streams as stream
        where stream.org_id = org and stream.slug = name_given and stream.finished_at is not null;
        if ended is not null then
            perform private.refuse_finished('streams/' || name_given, ended);
        end if;
    end loop;
    raise exception 'the stream % changes too fast', name_given using errcode = '40001';
end
$$;

-- The stream that a scan or an agent belongs to; first sight creates it.
create function private.stream_for(org uuid, name_given text) returns uuid
language plpgsql set search_path = ''
as $$
declare
    run uuid;
begin
    select id into run from public.streams where org_id = org and slug = name_given;
    if run is null then
        insert into public.streams (org_id, slug, name, goal_status, ingest_key)
        values (org, name_given, case name_given when 'default' then 'Default' else name_given end, 'in_progress',
                private.claimed_ingest_key())
        on conflict (org_id, slug) do nothing returning id into run;
    end if;
    if run is null then
        select id into run from public.streams where org_id = org and slug = name_given;
    end if;
    return run;
end
$$;

create function private.put_scan(org uuid, name_given text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
    reporter uuid := private.claimed_ingest_key();
    taken text := body ->> 'status';
    over timestamptz := case when taken in ('completed', 'failed') then now_at end;
    parent uuid;
    run uuid;
    ended text;
begin
    for attempt in 1..3 loop
        if body ? 'stream' then
            parent := private.stream_for(org, body ->> 'stream');
        end if;
        update public.acquisition_scans as scan set
            name = coalesce(body ->> 'name', scan.name),
            stream_id = coalesce(parent, scan.stream_id),
            status = coalesce(taken, scan.status),
            steps = coalesce(body -> 'steps', scan.steps),
            current_step = coalesce(body ->> 'step', scan.current_step),
            progress_percentage = coalesce(
                (body ->> 'progress')::double precision, case taken when 'completed' then 100 end,
                scan.progress_percentage),
            targets_identified = coalesce((body ->> 'targets_identified')::bigint, scan.targets_identified),
            targets_analyzed = coalesce((body ->> 'targets_analyzed')::bigint, scan.targets_analyzed),
            started_at = coalesce(scan.started_at, case when taken <> 'configuring' then now_at end),
            completed_at = over,
            heartbeat_at = now_at, ingest_key = reporter
        where scan.org_id = org and scan.slug = name_given and scan.status not in ('completed', 'failed')
        returning scan.id into run;
        if run is not null then
            return jsonb_build_object('status', 200, 'id', run);
        end if;
        insert into public.acquisition_scans (
            org_id, slug, name, stream_id, status, steps, current_step, progress_percentage, targets_identified,
            targets_analyzed, started_at, completed_at, heartbeat_at, ingest_key
        ) values (
            org, name_given, coalesce(body ->> 'name', name_given), parent, coalesce(taken, 'scanning'),
            coalesce(body -> 'steps', '[]'), body ->> 'step', coalesce((body ->> 'progress')::double precision, 0),
            coalesce((body ->> 'targets_identified')::bigint, 0), coalesce((body ->> 'targets_analyzed')::bigint, 0),
            case when taken is distinct from 'configuring' then now_at end, over, now_at, reporter
        ) on conflict (org_id, slug) do nothing returning id into run;
        if run is not null then
            return jsonb_build_object('status', 201, 'id', run);
        end if;
        select scan.status into ended from public.acquisition_scans as scan
        where scan.org_id = org and scan.slug = name_given and scan.status in ('completed', 'failed');
        if ended is not null then
            perform private.refuse_finished('scans/' || name_given, ended);
        end if;
    end loop;
    raise exception 'the scan % changes too fast', name_given using errcode = '40001';
end
$$;

create function private.put_agent(org uuid, name_given text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
    reporter uuid := private.claimed_ingest_key();
    taken text := body ->> 'status';
    over timestamptz := case when taken in ('completed', 'failed', 'cancelled') then now_at end;
    parent uuid;
    run uuid;
    ended text;
begin
    for attempt in 1..3 loop
        if body ? 'stream' then
            parent := private.stream_for(org, body ->> 'stream');
        end if;
        update public.agent_executions as agent set
            agent_id = coalesce(body ->> 'agent_id', agent.agent_id),
            agent_name = coalesce(body ->> 'agent_name', agent.agent_name),
            stream_id = coalesce(parent, agent.stream_id),
            status = coalesce(taken, agent.status),
            input_summary = coalesce(body ->> 'input_summary', agent.input_summary),
            output_summary = coalesce(body ->> 'output_summary', agent.output_summary),
            started_at = coalesce(agent.started_at, case when taken <> 'pending' then now_at end),
            completed_at = over,
            duration_ms = extract(epoch from over - coalesce(agent.started_at, now_at)) * 1000,
            heartbeat_at = now_at, ingest_key = reporter
        where agent.org_id = org and agent.slug = name_given
            and agent.status not in ('completed', 'failed', 'cancelled')
        returning agent.id into run;
        if run is not null then
            return jsonb_build_object('status', 200, 'id', run);
        end if;
        parent := coalesce(parent, private.stream_for(org, 'default'));
        insert into public.agent_executions (
            org_id, slug, stream_id, agent_id, agent_name, status, input_summary, output_summary, started_at,
            completed_at, duration_ms, heartbeat_at, ingest_key
        ) values (
            org, name_given, parent, coalesce(body ->> 'agent_id', body ->> 'agent_name', name_given),
            coalesce(body ->> 'agent_name', name_given), coalesce(taken, 'running'), body ->> 'input_summary',
            body ->> 'output_summary', case when taken is distinct from 'pending' then now_at end, over,
            case when over is not null then 0 end, now_at, reporter
        ) on conflict (org_id, slug) do nothing returning id into run;
        if run is not null then
            return jsonb_build_object('status', 201, 'id', run);
        end if;
        select agent.status into ended from public.agent_executions as agent
        where agent.org_id = org and agent.slug = name_given and agent.status in ('completed', 'failed', 'cancelled');
        if ended is not null then
            perform private.refuse_finished('agents/' || name_given, ended);
        end if;
    end loop;
    raise exception 'the agent % changes too fast', name_given using errcode = '40001';
end
$$;

-- A finish that says the same as the one before is answered as that one was.
create function private.finish(org uuid, target text, name_given text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
    reporter uuid := private.claimed_ingest_key();
    taken text := coalesce(body ->> 'status', 'completed');
    reason text := body ->> 'error';
    outcome text := body ->> 'output_summary';
    run uuid;
    was_status text;
    is_same boolean;
begin
    if target = 'streams' then
        update public.streams set
            goal_status = taken, error = reason, finished_at = now_at, heartbeat_at = now_at, ingest_key = reporter
        where org_id = org and slug = name_given and finished_at is null returning id into run;
        if run is null then
            select id, goal_status, goal_status = taken and error is not distinct from coalesce(reason, error)
            into run, was_status, is_same from public.streams where org_id = org and slug = name_given;
        end if;
    elsif target = 'scans' then
        update public.acquisition_scans set
            status = taken, error = reason, completed_at = now_at, heartbeat_at = now_at, ingest_key = reporter,
            progress_percentage = case taken when 'completed' then 100 else progress_percentage end
        where org_id = org and slug = name_given and status not in ('completed', 'failed') returning id into run;
        if run is null then
            select id, status, status = taken and error is not distinct from coalesce(reason, error)
            into run, was_status, is_same from public.acquisition_scans where org_id = org and slug = name_given;
        end if;
    else
        update public.agent_executions set
            status = taken, error = reason, output_summary = coalesce(outcome, output_summary), completed_at = now_at,
            started_at = coalesce(started_at, now_at),
            duration_ms = extract(epoch from now_at - coalesce(started_at, now_at)) * 1000,
            heartbeat_at = now_at, ingest_key = reporter
        where org_id = org and slug = name_given and status not in ('completed', 'failed', 'cancelled')
        returning id into run;
        if run is null then
            select id, status, status = taken and error is not distinct from coalesce(reason, error)
                and output_summary is not distinct from coalesce(outcome, output_summary)
            into run, was_status, is_same from public.agent_executions where org_id = org and slug = name_given;
        end if;
    end if;
    if run is null then
        perform private.refuse('404', format('There is no %s/%s to finish: report it with PUT first.', target, name_given));
    elsif not coalesce(is_same, true) then
        perform private.refuse_finished(format('%s/%s', target, name_given), was_status);
    end if;
    return jsonb_build_object('status', 200, 'id', run);
end
$$;

create function private.send_to_members(org uuid, target text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    recipients uuid[] := private.ingest_recipients(org, body -> 'to');
    -- Who sends may not read, so that the ids are made here.
    ids uuid[] := array(select gen_random_uuid() from unnest(recipients));
    parent uuid;
begin
    if target = 'alerts' then
        if body ? 'stream' then
            parent := private.ingest_stream(org, body ->> 'stream');
            if parent is null then
                perform private.refuse('404', format('There is no streams/%s: report it with PUT first.', body ->> 'stream'),
                                       'stream');
            end if;
        end if;
        insert into public.signal_alerts
            (id, org_id, user_id, stream_id, company_name, target_name, signal_type, signal_strength, metadata)
        select id, org, person, parent, body ->> 'company_name', body ->> 'target_name', body ->> 'signal_type',
            (body ->> 'signal_strength')::smallint, coalesce(body -> 'metadata', '{}')
        from unnest(ids, recipients) as sent (id, person);
    else
        insert into public.notifications (id, org_id, user_id, type, title, message, action_url)
        select id, org, person, coalesce(body ->> 'type', 'info'), body ->> 'title', coalesce(body ->> 'message', ''),
            body ->> 'action_url'
        from unnest(ids, recipients) as sent (id, person);
    end if;
    return jsonb_build_object('status', 201, 'id', ids[1], 'ids', to_jsonb(ids));
end
$$;

-- Lines may come after the finish of their run, which programs report first; they rewrite nothing.
create function private.add_logs(org uuid, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
    reporter uuid := private.claimed_ingest_key();
    target text := split_part(body ->> 'run', '/', 1);
    name_given text := split_part(body ->> 'run', '/', 2);
    run uuid;
begin
    if target = 'streams' then
        select id into run from public.streams where org_id = org and slug = name_given;
        update public.streams set heartbeat_at = now_at, ingest_key = reporter where id = run and finished_at is null;
    elsif target = 'scans' then
        select id into run from public.acquisition_scans where org_id = org and slug = name_given;
        update public.acquisition_scans set heartbeat_at = now_at, ingest_key = reporter
        where id = run and status not in ('completed', 'failed');
    else
        select id into run from public.agent_executions where org_id = org and slug = name_given;
        update public.agent_executions set heartbeat_at = now_at, ingest_key = reporter
        where id = run and status not in ('completed', 'failed', 'cancelled');
    end if;
    if run is null then
        perform private.refuse('404', format('There is no %s: report it with PUT first.', body ->> 'run'), 'run');
    end if;
    insert into public.log_lines (org_id, run_id, at, level, message)
    select org, run, coalesce((line ->> 'at')::timestamptz, now_at), coalesce(line ->> 'level', 'info'),
        line ->> 'message'
    from jsonb_array_elements(body -> 'lines') with ordinality as given (line, number) order by number;
    return jsonb_build_object('status', 201, 'id', run, 'lines', jsonb_array_length(body -> 'lines'));
end
$$;

-- Runs that have finished or are not known do not keep the others from living.
create function private.beat(org uuid, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
    reporter uuid := private.claimed_ingest_key();
    each_interval double precision := coalesce((body ->> 'interval')::double precision, 15);
    path text;
    name_given text;
    alive text[] := array[]::text[];
    finished text[] := array[]::text[];
    unknown text[] := array[]::text[];
    is_known boolean;
begin
    -- In one order, whatever the program's, so that two of them do not wait for each other's rows.
    for path in select distinct value from jsonb_array_elements_text(body -> 'runs') as value order by value loop
        name_given := split_part(path, '/', 2);
        if path like 'streams/%' then
            update public.streams set heartbeat_at = now_at, heartbeat_interval = each_interval, ingest_key = reporter
            where org_id = org and slug = name_given and finished_at is null;
        elsif path like 'scans/%' then
            update public.acquisition_scans
            set heartbeat_at = now_at, heartbeat_interval = each_interval, ingest_key = reporter
            where org_id = org and slug = name_given and status not in ('completed', 'failed');
        else
            update public.agent_executions
            set heartbeat_at = now_at, heartbeat_interval = each_interval, ingest_key = reporter
            where org_id = org and slug = name_given and status not in ('completed', 'failed', 'cancelled');
        end if;
        if found then
            alive := alive || path;
            continue;
        end if;
        is_known := case
            when path like 'streams/%' then exists (select from public.streams where org_id = org and slug = name_given)
            when path like 'scans/%' then
                exists (select from public.acquisition_scans where org_id = org and slug = name_given)
            else exists (select from public.agent_executions where org_id = org and slug = name_given)
        end;
        if is_known then
            finished := finished || path;
        else
            unknown := unknown || path;
        end if;
    end loop;
    if cardinality(alive) + cardinality(finished) = 0 then
        perform private.refuse('404', format('There is no %s: report it with PUT first.', unknown[1]), 'runs');
    end if;
    return jsonb_build_object('status', 200, 'alive', to_jsonb(alive), 'finished', to_jsonb(finished),
                              'unknown', to_jsonb(unknown));
end
$$;

-- One operation, at most once under its idempotency key. A failure writes nothing and so is not remembered.
create function private.ingest_once(org uuid, operation jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    body jsonb := operation -> 'body';
    name_given text := operation ->> 'slug';
    target text := operation ->> 'target';
    key_given text := operation ->> 'idempotency_key';
    given_hash text := operation ->> 'hash';
    reporter uuid := private.claimed_ingest_key();
    first_hash text;
    result jsonb;
begin
    if key_given is not null then
        -- Waits for another request with the same key, which is under way.
        insert into public.idempotency_keys as earlier (ingest_key, idempotency_key, request_hash)
        values (reporter, key_given, given_hash)
        on conflict (ingest_key, idempotency_key) do update
            set request_hash = excluded.request_hash, answer = null, created_at = excluded.created_at
            where earlier.created_at < clock_timestamp() - interval '1 day';
        if not found then
            select earlier.request_hash, earlier.answer into first_hash, result
            from public.idempotency_keys as earlier
            where earlier.ingest_key = reporter and earlier.idempotency_key = key_given;
            if first_hash is distinct from given_hash then
                perform private.refuse('4IC', format(
                    'The idempotency key %s was used for another request: give each request its own.', to_json(key_given)));
            end if;
            return result;
        end if;
    end if;
    result := case operation ->> 'verb'
        when 'finish' then private.finish(org, target, name_given, body)
        else case target
            when 'streams' then private.put_stream(org, name_given, body)
            when 'scans' then private.put_scan(org, name_given, body)
            when 'agents' then private.put_agent(org, name_given, body)
            when 'logs' then private.add_logs(org, body)
            when 'heartbeats' then private.beat(org, body)
            else private.send_to_members(org, target, body)
        end
    end;
    if key_given is not null then
        update public.idempotency_keys as mine set answer = result
        where mine.ingest_key = reporter and mine.idempotency_key = key_given;
    end if;
    return result;
end
$$;

-- Batches that write the same runs come one after another, so that none waits for a row of another in a circle. The runs
-- share 64 locks, taken in their order: few enough for any server, and batches of other runs pass.
create function private.await_batches(org uuid, operations jsonb) returns void
language plpgsql set search_path = ''
as $$
declare
    lock integer;
begin
    for lock in
        with asked as (
            select value ->> 'target' as target, value ->> 'slug' as slug, value -> 'body' as body
            from jsonb_array_elements(operations)
        )
        select distinct hashtext(path) & 63 from (
            select target || '/' || slug from asked
            union select 'streams/' || (body ->> 'stream') from asked
            union select 'streams/default' from asked where target = 'agents' and not body ? 'stream'
            union select body ->> 'run' from asked
            union select jsonb_array_elements_text(body -> 'runs') from asked where target = 'heartbeats'
        ) as touched (path)
        where path is not null
        order by 1
    loop
        perform pg_advisory_xact_lock(hashtextextended(org::text, lock));
    end loop;
end
$$;

-- Operations in their order, each in a savepoint; an answer or a refusal for each.
create function private.ingest(org uuid, operations jsonb, touch boolean) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    operation jsonb;
    answers jsonb[] := array[]::jsonb[];
    field text;
    broken text;
begin
    if private.ingest_key() is null then
        raise exception 'the key was revoked' using errcode = '42501';
    end if;
    if jsonb_array_length(operations) > 1 then
        perform private.await_batches(org, operations);
    end if;
    for operation in select value from jsonb_array_elements(operations) loop
        begin
            answers := answers || private.ingest_once(org, operation);
        exception
            when sqlstate 'LW404' or sqlstate 'LW409' or sqlstate 'LW422' or sqlstate 'LW4IC'
                or check_violation or data_exception or object_not_in_prerequisite_state then
                get stacked diagnostics field = pg_exception_detail, broken = constraint_name;
                answers := answers || jsonb_build_object(
                    'refused', sqlstate, 'message', sqlerrm, 'constraint', nullif(broken, ''),
                    'field', nullif(case when sqlstate like 'LW%' then field end, ''));
        end;
    end loop;
    if touch then
        perform private.touch_ingest_key();
    end if;
    return to_jsonb(answers);
end
$$;

do $$
declare
    operation regprocedure;
begin
    for operation in
        select oid::regprocedure from pg_catalog.pg_proc
        where pronamespace = 'private'::regnamespace and proname in (
            'refuse', 'refuse_finished', 'put_stream', 'stream_for', 'put_scan', 'put_agent', 'finish',
            'send_to_members', 'add_logs', 'beat', 'ingest_once', 'await_batches', 'ingest')
    loop
        execute format('revoke execute on function %s from public', operation);
        execute format('grant execute on function %s to authenticated, service_role', operation);
    end loop;
end
$$;
