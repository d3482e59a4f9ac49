-- Ingest in sets: reports of one run that follow each other are one update, reports of several runs one statement, and
-- what a batch does to a run is broadcast once.
--
-- The app groups the operations (services/ingest/grouping.py). An element of `operations` is one of
--   an operation                as before,
--   {..., "parts": [...]}       operations on one run, their bodies merged; `rest` is the merged body of all but the first,
--   {"set": [...]}              operations with parts, of different streams.
-- Read from the bottom: `ingest`, then the functions above it.

-- Heartbeats change no indexed column; with room on its page such an update touches no index (HOT).
alter table public.streams set (fillfactor = 85);
alter table public.acquisition_scans set (fillfactor = 85);
alter table public.agent_executions set (fillfactor = 85);

-- Returns the content of a broadcast: the format of `realtime.broadcast_changes`, or of a row that is too large only its
-- key. `too_large` is 200,000 bytes: a hosted project drops a broadcast of more than 256 KB, and clients close a
-- connection that brings more than 1 MB. Subscribers then read the row.
create function private.change_of(operation text, table_name text, content jsonb) returns jsonb
language plpgsql immutable set search_path = ''
as $$
declare
    too_large constant integer := 200000;
begin
    -- A value of fewer bytes cannot be larger than that as text, however well it was compressed.
    if pg_column_size(content) > 700 and octet_length(content::text) > too_large then
        return jsonb_build_object(
            'schema', 'public', 'table', table_name, 'operation', operation, 'key_only', true,
            case when operation = 'DELETE' then 'old_record' else 'record' end,
            jsonb_build_object('id', content -> 'id', 'version', content -> 'version'));
    end if;
    return jsonb_build_object(
        'schema', 'public', 'table', table_name, 'operation', operation,
        'record', case when operation <> 'DELETE' then content end,
        'old_record', case when operation = 'DELETE' then content end);
end
$$;

-- Broadcasts a committed change as before, but converts the row once, and not at all while a batch holds the changes of
-- runs that it reports several times: `release_broadcasts` then sends each run's last state.
create or replace function private.broadcast_row() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    held constant text := current_setting('livewatch.held_changes', true);
    change text;
    content jsonb;
begin
    if held <> '' and tg_op <> 'DELETE'
        and tg_table_name in ('streams', 'acquisition_scans', 'agent_executions') then
        change := tg_table_name || '/' || new.id;
        if position(change in held) = 0 then
            perform set_config('livewatch.held_changes', held || tg_op || '/' || change || ',', true);
        end if;
        return null;
    end if;
    if tg_op = 'DELETE' then
        content := to_jsonb(old);
    else
        content := to_jsonb(new);
    end if;
    perform realtime.send(
        private.change_of(tg_op, tg_table_name, content), tg_op,
        tg_argv[0] || ':' || (content ->> case when tg_argv[0] = 'org' then 'org_id' else 'user_id' end), true);
    return null;
end
$$;

-- Holds the changes of runs until `release_broadcasts`.
create function private.hold_broadcasts() returns void
language sql set search_path = ''
as $$
    select set_config('livewatch.held_changes', ',', true)
$$;

-- Broadcasts the last state of each run whose changes were held. A run that was deleted since has told so itself.
create function private.release_broadcasts() returns void
language plpgsql security definer set search_path = ''
as $$
declare
    held constant text[] :=
        string_to_array(trim(coalesce(current_setting('livewatch.held_changes', true), ''), ','), ',');
    change text;
    content jsonb;
begin
    perform set_config('livewatch.held_changes', '', true);
    foreach change in array held loop
        content := case split_part(change, '/', 2)
            when 'streams' then
                (select to_jsonb(run) from public.streams as run where run.id = split_part(change, '/', 3)::uuid)
            when 'acquisition_scans' then (
                select to_jsonb(run) from public.acquisition_scans as run
                where run.id = split_part(change, '/', 3)::uuid)
            else (
                select to_jsonb(run) from public.agent_executions as run
                where run.id = split_part(change, '/', 3)::uuid)
        end;
        if content is not null then
            perform realtime.send(
                private.change_of(split_part(change, '/', 1), split_part(change, '/', 2), content),
                split_part(change, '/', 1), 'org:' || (content ->> 'org_id'), true);
        end if;
    end loop;
end
$$;

-- Records a point of the history. The gap between two points grows with the age of the run, from a second to a minute:
-- a run has some 500 points after ten minutes and 2,500 after eight hours. Where it reaches its total, it has one.
create or replace function private.record_progress() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    now_at timestamptz;
    began timestamptz := new.created_at;
    part double precision;
    total double precision := 100;
    has_arrived boolean;
begin
    if tg_table_name = 'streams' then
        if tg_op = 'UPDATE' and new.completed = old.completed and new.total = old.total then
            return null;
        end if;
        part := new.completed;
        total := new.total;
        has_arrived := tg_op = 'INSERT' or old.completed < old.total or old.total <> new.total;
    else
        if tg_op = 'UPDATE' and new.progress_percentage = old.progress_percentage then
            return null;
        end if;
        part := new.progress_percentage;
        began := coalesce(new.started_at, began);
        has_arrived := true;
    end if;
    now_at := private.event_time();
    if (has_arrived and total > 0 and part >= total) or not exists (
        select from public.progress_points as point
        where point.subject_id = new.id
            and point.at > now_at - least(interval '1 minute', greatest(interval '1 second', (now_at - began) / 500))
    ) then
        insert into public.progress_points (subject_id, at, org_id, done, whole)
        values (new.id, now_at, new.org_id, part, total)
        on conflict do nothing;
    end if;
    return null;
end
$$;

-- Adds what a report advances. `advances` are the amounts of merged reports; whole ones are added as `advance`, and
-- fractions one by one, because each addition rounds.
create function private.advanced(base double precision, body jsonb) returns double precision
language plpgsql immutable set search_path = ''
as $$
declare
    amount double precision;
begin
    if not body ? 'advances' or (body ? 'advance' and base = floor(base)) then
        return private.add_amounts(base, coalesce((body ->> 'advance')::double precision, 0));
    end if;
    for amount in select value::double precision from jsonb_array_elements_text(body -> 'advances') loop
        base := private.add_amounts(base, amount);
    end loop;
    return base;
end
$$;

-- Updates unfinished streams, each reported once, in one statement; returns those that there are. What a body leaves out
-- stays.
create function private.update_streams(reports private.run_report[]) returns table (slug text, id uuid)
language plpgsql set search_path = ''
as $$
begin
    return query update public.streams as run set
        name = coalesce(report.body ->> 'name', run.name),
        description = coalesce(report.body ->> 'description', run.description),
        stream_type = coalesce(report.body ->> 'stream_type', run.stream_type),
        total = private.reported_total(report.body, run.total),
        completed = private.advanced(
            coalesce(
                (report.body ->> 'completed')::double precision,
                case when report.body ? 'percent' then private.reported_total(report.body, run.total)
                    * (report.body ->> 'percent')::double precision / 100 end,
                run.completed),
            report.body),
        unit = nullif(coalesce(report.body ->> 'unit', run.unit), ''),
        bars = case when report.body ? 'bars'
            then private.merge_bars(run.bars, report.body -> 'bars', report.reported_at) else run.bars end,
        bar_count = greatest(
            run.bar_count, (report.body ->> 'bar_count')::integer, jsonb_array_length(report.body -> 'bars')),
        goal_status = coalesce(report.body ->> 'status', run.goal_status),
        target_metrics = coalesce(report.body -> 'target_metrics', run.target_metrics),
        metadata = coalesce(report.body -> 'metadata', run.metadata),
        error = case when report.body ? 'error' then report.body ->> 'error' else run.error end,
        finished_at = private.end_time(report.finished_at, run.created_at),
        heartbeat_at = greatest(run.heartbeat_at, report.reported_at), ingest_key = report.ingest_key
    from unnest(reports) as report
    where run.org_id = report.org and run.slug = report.slug and not run.is_finished
    returning run.slug, run.id;
end
$$;

-- Updates an unfinished run and returns its id; null if there is none. What the body leaves out stays.
create or replace function private.update_run(report private.run_report) returns uuid
language plpgsql set search_path = ''
as $$
declare
    body constant jsonb := report.body;
    new_status constant text := report.body ->> 'status';
    run_id uuid;
begin
    if report.kind = 'streams' then
        select updated.id into run_id from private.update_streams(array[report]) as updated;
    elsif report.kind = 'scans' then
        update public.acquisition_scans as run set
            name = coalesce(body ->> 'name', run.name),
            stream_id = coalesce(report.stream_id, run.stream_id),
            status = coalesce(new_status, run.status),
            steps = coalesce(body -> 'steps', run.steps),
            current_step = coalesce(body ->> 'step', run.current_step),
            progress_percentage = coalesce(
                (body ->> 'progress')::double precision,
                case when new_status = 'completed' and not body ? 'keep_progress' then 100 end,
                private.counted_progress(
                    coalesce((body ->> 'targets_analyzed')::bigint, run.targets_analyzed)
                        + (body ->> 'advance')::bigint,
                    coalesce((body ->> 'targets_identified')::bigint, run.targets_identified)),
                run.progress_percentage),
            targets_identified = coalesce((body ->> 'targets_identified')::bigint, run.targets_identified),
            targets_analyzed = coalesce((body ->> 'targets_analyzed')::bigint, run.targets_analyzed)
                + coalesce((body ->> 'advance')::bigint, 0),
            error = case when body ? 'error' then body ->> 'error' else run.error end,
            started_at = coalesce(run.started_at, case when new_status <> 'configuring' then report.reported_at end),
            completed_at = private.end_time(report.finished_at, run.started_at),
            heartbeat_at = greatest(run.heartbeat_at, report.reported_at), ingest_key = report.ingest_key
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
            completed_at = private.end_time(report.finished_at, run.started_at),
            duration_ms = extract(epoch from
                private.end_time(report.finished_at, coalesce(run.started_at, report.reported_at))
                - coalesce(run.started_at, report.reported_at)) * 1000,
            heartbeat_at = greatest(run.heartbeat_at, report.reported_at), ingest_key = report.ingest_key
        where run.org_id = report.org and run.slug = report.slug and not run.is_finished
        returning run.id into run_id;
    end if;
    return run_id;
end
$$;

-- Dates what an operation changes by its `age`.
create function private.set_event_time(operation jsonb) returns void
language plpgsql set search_path = ''
as $$
begin
    perform set_config(
        'livewatch.event_time',
        case when operation ? 'age'
            then (clock_timestamp() - make_interval(secs => least((operation ->> 'age')::double precision, 1e6)))::text
            else '' end,
        true);
end
$$;

-- Runs one operation in a savepoint; returns its answer or its error.
create function private.ingest_one(org uuid, operation jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    field text;
    constraint_name text;
begin
    perform private.set_event_time(operation);
    return private.ingest_once(org, operation);
exception
    when sqlstate 'LW404' or sqlstate 'LW409' or sqlstate 'LW422' or sqlstate 'LW4IC'
        or check_violation or data_exception or object_not_in_prerequisite_state then
        get stacked diagnostics field = pg_exception_detail, constraint_name = constraint_name;
        return jsonb_build_object(
            'refused', sqlstate, 'message', sqlerrm, 'constraint', nullif(constraint_name, ''),
            'field', nullif(case when sqlstate like 'LW%' then field end, ''));
end
$$;

-- Remembers the answers to operations with an idempotency key. Raises if one of the keys was used before, so that the
-- operations are run one by one. Waits for a concurrent request with the same key.
create function private.remember_answers(operations jsonb[], answers jsonb[]) returns void
language plpgsql set search_path = ''
as $$
declare
    reporter constant uuid := private.claimed_ingest_key();
    expected integer;
    written integer;
begin
    select count(*) into expected from unnest(operations) as operation where operation ? 'idempotency_key';
    if expected = 0 then
        return;
    end if;
    insert into public.idempotency_keys (ingest_key, idempotency_key, request_hash, answer)
    select reporter, operation ->> 'idempotency_key', operation ->> 'hash', answer
    from unnest(operations, answers) as each (operation, answer) where operation ? 'idempotency_key'
    on conflict (ingest_key, idempotency_key) do nothing;
    get diagnostics written = row_count;
    if written < expected then
        raise exception 'An idempotency key was used before.' using errcode = 'LW000';
    end if;
end
$$;

-- Runs operations of different streams as one update; returns the id of each stream that there was, by its slug, and
-- null if that is not possible: they are run one by one then.
create function private.ingest_set(org uuid, operations jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    now_at constant timestamptz := clock_timestamp();
    reporter constant uuid := private.claimed_ingest_key();
    ids jsonb;
    parts jsonb[];
    answers jsonb[];
begin
    perform private.set_event_time('{}');
    select jsonb_object_agg(updated.slug, updated.id) into ids
    from private.update_streams(array(
        select row(org, 'streams', operation ->> 'slug', operation -> 'body', null, reporter, now_at, null)
            ::private.run_report
        from jsonb_array_elements(operations) as operation
    )) as updated;
    if ids is not null then
        select array_agg(part), array_agg(jsonb_build_object('status', 200, 'id', ids -> (part ->> 'slug')))
        into parts, answers
        from jsonb_array_elements(operations) as operation
        cross join jsonb_array_elements(operation -> 'parts') as part
        where ids ? (operation ->> 'slug') and part ? 'idempotency_key';
        perform private.remember_answers(parts, answers);
    end if;
    return coalesce(ids, '{}');
exception
    when sqlstate 'LW000' or check_violation or data_exception or object_not_in_prerequisite_state then
        return null;
end
$$;

-- Runs an operation with parts as one update; returns the run's id, and null if there is no unfinished one, or if the
-- parts have to be run one by one.
create function private.ingest_merged(org uuid, operation jsonb, body jsonb, parts jsonb[]) returns uuid
language plpgsql set search_path = ''
as $$
declare
    run_id uuid;
    answer jsonb;
begin
    perform private.set_event_time(operation);
    run_id := private.update_run(private.read_report(org, operation ->> 'target', operation ->> 'slug', body));
    if run_id is not null then
        if body ? 'reporter' then
            perform private.join_run(org, run_id, body ->> 'reporter');
        end if;
        answer := jsonb_build_object('status', 200, 'id', run_id);
        perform private.remember_answers(parts, array_fill(answer, array[cardinality(parts)]));
    end if;
    return run_id;
exception
    when sqlstate 'LW000' or check_violation or data_exception or object_not_in_prerequisite_state then
        return null;
end
$$;

-- Runs an operation with parts; returns an answer or an error for each part. The first report of a run is run by itself.
create function private.ingest_parts(org uuid, operation jsonb) returns jsonb[]
language plpgsql set search_path = ''
as $$
declare
    parts jsonb[] := array(select value from jsonb_array_elements(operation -> 'parts'));
    body jsonb := operation -> 'body';
    answers jsonb[] := array[]::jsonb[];
    part jsonb;
    run_id uuid;
begin
    if cardinality(parts) > 1 then
        run_id := private.ingest_merged(org, operation, body, parts);
        if run_id is null then
            answers := array[private.ingest_one(org, parts[1])];
            parts := parts[2:];
            if (answers[1] ->> 'status') = '201' then
                run_id := private.ingest_merged(org, operation, operation -> 'rest', parts);
            end if;
        end if;
    end if;
    if run_id is not null then
        return answers
            || array_fill(jsonb_build_object('status', 200, 'id', run_id), array[cardinality(parts)]);
    end if;
    foreach part in array parts loop
        answers := answers || private.ingest_one(org, part);
    end loop;
    return answers;
end
$$;

-- Returns the runs that operations write, as often as they name them.
create function private.written_runs(operations jsonb) returns setof text
language plpgsql immutable set search_path = ''
as $$
begin
    return query with operation as (
        select value ->> 'target' as target, value ->> 'slug' as slug, value -> 'body' as body
        from (
            select element from jsonb_array_elements(operations) as element where not element ? 'set'
            union all
            select member from jsonb_array_elements(operations) as element,
                jsonb_array_elements(element -> 'set') as member
        ) as each (value)
    )
    select path from (
        select target || '/' || slug from operation
        union all select 'streams/' || (body ->> 'stream') from operation
        union all select 'streams/default' from operation where target = 'agents' and not body ? 'stream'
        union all select body ->> 'run' from operation
        union all select jsonb_array_elements_text(body -> 'runs') from operation where target = 'heartbeats'
    ) as written (path)
    where path is not null;
end
$$;

drop function private.lock_runs(uuid, jsonb);
-- Makes batches that write the same runs wait for each other, so that they cannot deadlock on rows. The runs share 64
-- locks, taken in order: few enough for any server's lock table, and batches of other runs pass.
create function private.lock_runs(org uuid, runs text[]) returns void
language plpgsql set search_path = ''
as $$
declare
    lock integer;
begin
    for lock in select distinct hashtext(run) & 63 from unnest(runs) as run order by 1 loop
        perform pg_advisory_xact_lock(hashtextextended(org::text, lock));
    end loop;
end
$$;

-- Runs operations in order, each in a savepoint; returns an answer or an error for each, and for each of its parts.
create or replace function private.ingest(org uuid, operations jsonb, touch boolean) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    operation jsonb;
    member jsonb;
    answers jsonb[] := array[]::jsonb[];
    runs text[];
    has_repeated_runs boolean := false;
    ids jsonb;
begin
    if private.ingest_key() is null then
        raise exception 'The key % is revoked: use another.', private.claimed_ingest_key() using errcode = '42501';
    end if;
    -- A set by itself needs no locks: its streams are distinct and come in one order.
    if jsonb_array_length(operations) > 1 then
        runs := array(select private.written_runs(operations));
        perform private.lock_runs(org, runs);
        has_repeated_runs := cardinality(runs) > (select count(distinct run) from unnest(runs) as run);
    end if;
    if has_repeated_runs or operations @? '$[*].parts[1]' or operations @? '$[*].set[*].parts[1]' then
        perform private.hold_broadcasts();
    end if;
    for operation in select value from jsonb_array_elements(operations) loop
        if operation ? 'set' then
            ids := private.ingest_set(org, operation -> 'set');
            for member in select value from jsonb_array_elements(operation -> 'set') loop
                answers := answers || case
                    when ids ? (member ->> 'slug') then array_fill(
                        jsonb_build_object('status', 200, 'id', ids -> (member ->> 'slug')),
                        array[jsonb_array_length(member -> 'parts')])
                    else private.ingest_parts(org, member)
                end;
            end loop;
        elsif operation ? 'parts' then
            answers := answers || private.ingest_parts(org, operation);
        else
            answers := answers || private.ingest_one(org, operation);
        end if;
    end loop;
    perform set_config('livewatch.event_time', '', true);
    perform private.release_broadcasts();
    if touch then
        perform private.touch_ingest_key();
    end if;
    return to_jsonb(answers);
end
$$;

revoke execute on function
    private.change_of(text, text, jsonb), private.hold_broadcasts(), private.release_broadcasts(),
    private.advanced(double precision, jsonb), private.update_streams(private.run_report[]),
    private.set_event_time(jsonb), private.ingest_one(uuid, jsonb), private.remember_answers(jsonb[], jsonb[]),
    private.ingest_set(uuid, jsonb), private.ingest_merged(uuid, jsonb, jsonb, jsonb[]),
    private.ingest_parts(uuid, jsonb), private.written_runs(jsonb), private.lock_runs(uuid, text[]) from public;
grant execute on function
    private.hold_broadcasts(), private.release_broadcasts(),
    private.advanced(double precision, jsonb), private.update_streams(private.run_report[]),
    private.set_event_time(jsonb), private.ingest_one(uuid, jsonb), private.remember_answers(jsonb[], jsonb[]),
    private.ingest_set(uuid, jsonb), private.ingest_merged(uuid, jsonb, jsonb, jsonb[]),
    private.ingest_parts(uuid, jsonb), private.written_runs(jsonb), private.lock_runs(uuid, text[])
    to authenticated, service_role;
