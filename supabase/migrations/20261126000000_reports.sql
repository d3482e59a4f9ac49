-- Reports as programs make them: fractional amounts with units, bars of a run, statuses of runs that end early, the
-- time at which a program reported, and runs that several processes share.

-- Amounts: doubles, whose integers are exact up to 2^53. A larger amount is refused rather than rounded.
drop trigger stamp_progress on public.streams;
drop trigger record_progress on public.streams;
alter table public.streams drop column percentage;
alter table public.streams
    alter column completed type double precision,
    alter column total type double precision,
    drop constraint streams_completed_check,
    drop constraint streams_total_check,
    add constraint streams_completed_check check (completed >= 0 and completed <= 9007199254740992),
    add constraint streams_total_check check (total >= 0 and total <= 9007199254740992),
    -- Only what is complete is 100 %. The tolerance is for fractions: 0.285 of 1 is 28.5 %.
    add column percentage double precision generated always as (
        case
            when total <= 0 then 0
            when completed >= total then 100
            else least(99.9, floor(1000.0::double precision * completed / total + 1e-9::double precision) / 10)
        end
    ) stored,
    add column unit text check (char_length(btrim(unit)) between 1 and 20),
    -- The bars and loops of the run, in the order in which they began: objects of `id`, `parent` (an id; none for a bar
    -- directly below the run), `name`, `status`, `completed`, `total`, `unit`, `started_at` and `finished_at`.
    add column bars jsonb not null default '[]'
        check (jsonb_typeof(bars) = 'array' and jsonb_array_length(bars) <= 50 and pg_column_size(bars) <= 65536),
    -- Bars that the run had so far, also those that `bars` no longer holds.
    add column bar_count integer not null default 0 check (bar_count >= 0),
    drop constraint streams_goal_status_check,
    add constraint streams_goal_status_check check (goal_status in (
        'not_started', 'in_progress', 'on_track', 'at_risk', 'blocked', 'completed', 'stopped', 'cancelled'));
create trigger stamp_progress before insert or update of completed, rate, rate_window, progress_interval
    on public.streams for each row execute function private.stamp_progress();
create trigger record_progress after insert or update of completed, total on public.streams
    for each row execute function private.record_progress();

drop view private.reported_runs;
alter table public.acquisition_scans drop column is_finished;
alter table public.acquisition_scans
    drop constraint acquisition_scans_status_check,
    add constraint acquisition_scans_status_check check (status in (
        'configuring', 'scanning', 'analyzing', 'paused', 'completed', 'failed', 'stopped', 'cancelled')),
    add column is_finished boolean generated always as (status in ('completed', 'failed', 'stopped', 'cancelled'))
        stored;
create view private.reported_runs with (security_invoker = true) as
    select 'streams' as kind, org_id, slug, id, goal_status as status, is_finished, error, null as output_summary
    from public.streams
    union all
    select 'scans', org_id, slug, id, status, is_finished, error, null from public.acquisition_scans
    union all
    select 'agents', org_id, slug, id, status, is_finished, error, output_summary from public.agent_executions;
grant select on private.reported_runs to authenticated, service_role;

-- Returns when the report that is being written was made; the current time for every other write. A report cannot be
-- of the future, nor older than a program may keep it.
create function private.event_time() returns timestamptz
language sql volatile set search_path = ''
as $$
    select greatest(
        least(nullif(current_setting('livewatch.event_time', true), '')::timestamptz, clock_timestamp()),
        clock_timestamp() - interval '7 days')
$$;

-- Adds two amounts without the noise of binary fractions: 0.1 and 0.2 are 0.3. Integers are added exactly; a sum that
-- would have to be rounded is infinite, which the columns refuse.
create function private.add_amounts(a double precision, b double precision) returns double precision
language sql immutable set search_path = ''
as $$
    select case
        when a = floor(a) and b = floor(b) then
            case when a::bigint + b::bigint <= 9007199254740992 then a + b else 'infinity' end
        else (a + b)::numeric::double precision
    end
$$;

-- Updates the bars of a run by those of a report, by `id`. Of more than 50 the open and the newest are kept.
create function private.merge_bars(bars jsonb, reported jsonb, at timestamptz) returns jsonb
language sql stable set search_path = ''
as $$
    with merged as (
        select
            coalesce(old.bar, '{}') || coalesce(new.bar, '{}') || jsonb_strip_nulls(jsonb_build_object(
                'started_at', coalesce(old.bar ->> 'started_at', at::text),
                'finished_at', case when coalesce(new.bar, old.bar) ->> 'status' <> 'in_progress'
                    then coalesce(old.bar ->> 'finished_at', at::text) end)) as bar,
            coalesce(old.number, 1000 + new.number) as number
        from (
            select bar, number from jsonb_array_elements(bars) with ordinality as each (bar, number)
        ) as old
        full join (
            select bar, number from jsonb_array_elements(reported) with ordinality as each (bar, number)
        ) as new on new.bar ->> 'id' = old.bar ->> 'id'
    ), ranked as (
        select bar, number, row_number() over (order by bar ->> 'status' = 'in_progress' desc, number desc) as rank
        from merged
    )
    select coalesce(jsonb_agg(bar order by number), '[]') from ranked where rank <= 50
$$;

-- A stream finishes when its status becomes one that ends it, or when a program finishes it. A member who changes the
-- status of a finished stream reopens it.
create or replace function private.stamp_finish() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if new.goal_status in ('completed', 'stopped', 'cancelled') then
        new.finished_at := coalesce(new.finished_at, private.event_time());
    elsif tg_op = 'UPDATE' and new.goal_status is distinct from old.goal_status
        and new.finished_at is not distinct from old.finished_at then
        new.finished_at := null;
    end if;
    return new;
end
$$;

-- Measures progress. `rate` is in units per second (streams: `completed`; scans: percentage points), `rate_window` the
-- seconds of history behind it, `progress_interval` the usual seconds between two steps. A writer's values are ignored.
--
-- The rate is the ratio of two sums, units and seconds, both weighted down exponentially with age: over a minute, or
-- over five steps where steps are rarer. Like tqdm's, the ratio needs no start-up correction.
create or replace function private.stamp_progress() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    now_at timestamptz := private.event_time();
    began timestamptz;
    gained double precision;
    seconds double precision;
    weight double precision;
begin
    if tg_table_name = 'streams' then
        gained := new.completed - case when tg_op = 'UPDATE' then old.completed else 0 end;
    else
        gained := new.progress_percentage - case when tg_op = 'UPDATE' then old.progress_percentage else 0 end;
    end if;
    if tg_op = 'INSERT' then
        new.rate := null;
        new.rate_window := null;
        new.progress_interval := null;
        if gained > 0 then
            new.last_progress_at := coalesce(new.last_progress_at, now_at);
        end if;
        return new;
    end if;
    new.rate := old.rate;
    new.rate_window := old.rate_window;
    new.progress_interval := old.progress_interval;
    if gained = 0 then
        return new;
    end if;
    -- Reports of one run may be of different machines and overtake each other.
    new.last_progress_at := greatest(now_at, old.last_progress_at);
    began := old.last_progress_at;
    if began is null and tg_table_name = 'acquisition_scans' then
        began := new.started_at;
    end if;
    seconds := extract(epoch from now_at - began);
    if gained > 0 and seconds <= 0 then
        return new;
    end if;
    if gained < 0 or seconds is null then
        -- Counting was restarted, or has only just begun.
        new.rate := null;
        new.rate_window := null;
        new.progress_interval := null;
        return new;
    end if;
    weight := exp(-seconds / greatest(60, 5 * coalesce(old.progress_interval, 0)));
    new.rate_window := coalesce(old.rate_window, 0) * weight + seconds;
    new.rate := (coalesce(old.rate * old.rate_window, 0) * weight + gained) / new.rate_window;
    new.progress_interval := coalesce(old.progress_interval + 0.2 * (seconds - old.progress_interval), seconds);
    return new;
end
$$;

-- Records a point of the history. The gap between two points grows with the age of the run, from a second to a minute:
-- a run has some 500 points after ten minutes and 2,500 after eight hours.
create or replace function private.record_progress() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    now_at timestamptz := private.event_time();
    began timestamptz := new.created_at;
    part double precision;
    total double precision := 100;
begin
    if tg_table_name = 'streams' then
        if tg_op = 'UPDATE' and new.completed = old.completed and new.total = old.total then
            return null;
        end if;
        part := new.completed;
        total := new.total;
    else
        if tg_op = 'UPDATE' and new.progress_percentage = old.progress_percentage then
            return null;
        end if;
        part := new.progress_percentage;
        began := coalesce(new.started_at, began);
    end if;
    if part >= total or not exists (
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

-- Records an activity for a new status; a run that has not started leaves none.
create or replace function private.record_activity() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    is_new boolean := tg_op = 'INSERT';
    new_status text;
    old_status text;
begin
    if tg_table_name = 'streams' then
        new_status := new.goal_status;
        old_status := case when not is_new then old.goal_status end;
    else
        new_status := new.status;
        old_status := case when not is_new then old.status end;
    end if;
    if new_status is distinct from old_status and new_status not in ('configuring', 'pending') then
        insert into public.activities
            (org_id, stream_id, subject_table, subject_id, subject_name, status, previous_status, actor, created_at)
        values (
            new.org_id,
            case when tg_table_name = 'streams' then new.id else (to_jsonb(new) ->> 'stream_id')::uuid end,
            tg_table_name,
            new.id,
            coalesce(to_jsonb(new) ->> 'name', to_jsonb(new) ->> 'agent_name'),
            new_status, old_status, (select auth.uid()), private.event_time()
        );
    end if;
    return null;
end
$$;

-- The processes that report a run together. A run ends when its last process leaves it; one that is silent for three
-- heartbeats counts as gone. `left_as` is the status with which a process left, null while it works.
create table private.run_reporters (
    run_id uuid not null,
    org_id uuid not null references public.organizations (id) on delete cascade,
    reporter text not null check (char_length(reporter) between 1 and 64),
    seen_at timestamptz not null,
    left_as text,
    primary key (run_id, reporter)
);
create index run_reporters_org_id_idx on private.run_reporters (org_id);
create index run_reporters_left_idx on private.run_reporters (seen_at);
alter table private.run_reporters enable row level security;

-- Records that a process works on a run.
create function private.join_run(org uuid, run uuid, name text) returns void
language sql security definer set search_path = ''
as $$
    insert into private.run_reporters as known (run_id, org_id, reporter, seen_at)
    select run, org, name, private.event_time() where org in (select private.ingest_orgs('runs'))
    on conflict (run_id, reporter) do update set seen_at = excluded.seen_at, left_as = null
$$;

-- Records that a process still works on the runs that it joined.
create function private.see_reporter(org uuid, runs uuid[], name text) returns void
language sql security definer set search_path = ''
as $$
    update private.run_reporters set seen_at = private.event_time()
    where run_id = any (runs) and reporter = name and left_as is null and org in (select private.ingest_orgs('runs'))
$$;

-- Returns the status that a run has when all have left it: the one that needs most attention.
create function private.worst_status(statuses text[]) returns text
language sql immutable set search_path = ''
as $$
    select status from unnest(array['blocked', 'failed', 'cancelled', 'stopped', 'completed']) with ordinality
        as each (status, rank)
    where status = any (statuses) order by rank limit 1
$$;

-- Records that a process left a run; returns the status with which the run ends, null while others work on it. The
-- caller holds the lock of the run's row.
create function private.leave_run(org uuid, run uuid, name text, status text) returns text
language plpgsql security definer set search_path = ''
as $$
declare
    ending text;
begin
    if org not in (select private.ingest_orgs('runs')) then
        return null;
    end if;
    insert into private.run_reporters as known (run_id, org_id, reporter, seen_at, left_as)
    values (run, org, name, private.event_time(), status)
    on conflict (run_id, reporter) do update set seen_at = excluded.seen_at, left_as = excluded.left_as;
    if exists (
        select from private.run_reporters as other
        where other.run_id = run and other.left_as is null
            and other.seen_at > clock_timestamp() - interval '45 seconds'
    ) then
        return null;
    end if;
    select private.worst_status(array_agg(each.left_as)) into ending
    from private.run_reporters as each where each.run_id = run;
    delete from private.run_reporters as each where each.run_id = run;
    return ending;
end
$$;

-- Ends runs whose last process was killed after others had left them, and forgets processes of long ago.
create function private.finish_left_runs() returns void
language plpgsql security definer set search_path = ''
as $$
declare
    left_run record;
begin
    for left_run in
        select run_id, private.worst_status(array_agg(left_as)) as status,
            max(seen_at) filter (where left_as is not null) as left_at
        from private.run_reporters group by run_id
        having bool_or(left_as is not null)
            and bool_and(left_as is not null or seen_at <= clock_timestamp() - interval '45 seconds')
        limit 100
    loop
        update public.streams set
            goal_status = left_run.status, finished_at = greatest(left_run.left_at, created_at)
        where id = left_run.run_id and not is_finished;
        update public.acquisition_scans set
            status = left_run.status, completed_at = greatest(left_run.left_at, started_at)
        where id = left_run.run_id and not is_finished;
        delete from private.run_reporters where run_id = left_run.run_id;
    end loop;
    delete from private.run_reporters where seen_at < clock_timestamp() - interval '1 day';
end
$$;

-- Records the use of the current key, deletes expired idempotency keys, and ends runs that were left. The API calls it
-- once a minute for a key.
create or replace function private.touch_ingest_key() returns void
language plpgsql security definer set search_path = ''
as $$
begin
    update public.ingest_keys set last_used_at = clock_timestamp()
    where id = private.claimed_ingest_key() and revoked_at is null;
    delete from public.idempotency_keys
    where (ingest_key, idempotency_key) in (
        select ingest_key, idempotency_key from public.idempotency_keys
        where created_at < clock_timestamp() - interval '1 day'
        order by created_at limit 5000 for update skip locked
    );
    perform private.finish_left_runs();
end
$$;

-- Returns the total of a stream after a report: that of the report, else the earlier one, else the default.
create function private.reported_total(body jsonb, earlier double precision) returns double precision
language sql immutable set search_path = ''
as $$
    select coalesce(
        (body ->> 'total')::double precision, nullif(earlier, 0), (body ->> 'default_total')::double precision,
        case when body ? 'percent' then 100 end, earlier)
$$;

-- Returns when a run ends that ends at the given time, not before its start; null for a run that goes on.
create function private.end_time(ended_at timestamptz, started_at timestamptz) returns timestamptz
language sql immutable set search_path = ''
as $$
    select case when ended_at is not null then greatest(ended_at, started_at) end
$$;

-- Returns per cent done of a count, in tenths; null without both numbers.
create function private.counted_progress(done bigint, total bigint) returns double precision
language sql immutable set search_path = ''
as $$
    -- `least` would take a null for 100.
    select case when done >= total then 100 else floor(1000.0 * done / nullif(total, 0)) / 10 end
$$;

-- Returns by how much the clock of the program that made an operation is slow; 0 if it is right within a second.
create function private.clock_error(operation jsonb) returns interval
language sql volatile set search_path = ''
as $$
    select case when error > interval '1 second' or error < interval '-1 second' then error else interval '0' end
    from (select coalesce(private.event_time() - (operation ->> 'made_at')::timestamptz, interval '0') as error) as each
$$;

-- Returns the id of the stream that a scan or an agent belongs to; creates the stream if the slug is new.
create or replace function private.ensure_stream(org uuid, slug text) returns uuid
language plpgsql set search_path = ''
as $$
declare
    stream_id uuid;
begin
    select stream.id into stream_id
    from public.streams as stream where stream.org_id = org and stream.slug = ensure_stream.slug;
    if stream_id is null then
        insert into public.streams as stream (org_id, slug, name, goal_status, ingest_key, created_at)
        values (
            org, ensure_stream.slug, case ensure_stream.slug when 'default' then 'Default' else ensure_stream.slug end,
            'in_progress', private.claimed_ingest_key(), private.event_time()
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
create or replace function private.update_run(report private.run_report) returns uuid
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
            total = private.reported_total(body, run.total),
            completed = private.add_amounts(
                coalesce(
                    (body ->> 'completed')::double precision,
                    private.reported_total(body, run.total) * (body ->> 'percent')::double precision / 100,
                    run.completed),
                coalesce((body ->> 'advance')::double precision, 0)),
            unit = nullif(coalesce(body ->> 'unit', run.unit), ''),
            bars = case when body ? 'bars'
                then private.merge_bars(run.bars, body -> 'bars', report.reported_at) else run.bars end,
            bar_count = greatest(
                run.bar_count, (body ->> 'bar_count')::integer, jsonb_array_length(body -> 'bars')),
            goal_status = coalesce(new_status, run.goal_status),
            target_metrics = coalesce(body -> 'target_metrics', run.target_metrics),
            metadata = coalesce(body -> 'metadata', run.metadata),
            error = case when body ? 'error' then body ->> 'error' else run.error end,
            finished_at = private.end_time(report.finished_at, run.created_at),
            heartbeat_at = greatest(run.heartbeat_at, report.reported_at), ingest_key = report.ingest_key
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

-- Inserts a run and returns its id; null if the slug is taken.
create or replace function private.insert_run(report private.run_report) returns uuid
language plpgsql set search_path = ''
as $$
declare
    body constant jsonb := report.body;
    new_status constant text := report.body ->> 'status';
    run_id uuid;
begin
    if report.kind = 'streams' then
        insert into public.streams as run (
            org_id, slug, name, description, stream_type, total, completed, unit, bars, bar_count, goal_status,
            target_metrics, metadata, created_at, finished_at, heartbeat_at, ingest_key
        ) values (
            report.org, report.slug, coalesce(body ->> 'name', report.slug), coalesce(body ->> 'description', ''),
            coalesce(body ->> 'stream_type', 'general'), private.reported_total(body, 0),
            private.add_amounts(
                coalesce(
                    (body ->> 'completed')::double precision,
                    private.reported_total(body, 0) * (body ->> 'percent')::double precision / 100, 0),
                coalesce((body ->> 'advance')::double precision, 0)),
            nullif(body ->> 'unit', ''), private.merge_bars('[]', coalesce(body -> 'bars', '[]'), report.reported_at),
            coalesce(greatest((body ->> 'bar_count')::integer, jsonb_array_length(body -> 'bars')), 0),
            coalesce(new_status, 'in_progress'), coalesce(body -> 'target_metrics', '{}'),
            coalesce(body -> 'metadata', '{}'), report.reported_at, report.finished_at, report.reported_at,
            report.ingest_key
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    elsif report.kind = 'scans' then
        insert into public.acquisition_scans as run (
            org_id, slug, name, stream_id, status, steps, current_step, progress_percentage, targets_identified,
            targets_analyzed, created_at, started_at, completed_at, heartbeat_at, ingest_key
        ) values (
            report.org, report.slug, coalesce(body ->> 'name', report.slug), report.stream_id,
            coalesce(new_status, 'scanning'), coalesce(body -> 'steps', '[]'), body ->> 'step',
            coalesce(
                (body ->> 'progress')::double precision, case new_status when 'completed' then 100 end,
                private.counted_progress((body ->> 'advance')::bigint, (body ->> 'targets_identified')::bigint), 0),
            coalesce((body ->> 'targets_identified')::bigint, 0),
            coalesce((body ->> 'targets_analyzed')::bigint, 0) + coalesce((body ->> 'advance')::bigint, 0),
            report.reported_at,
            case when new_status is distinct from 'configuring' then report.reported_at end, report.finished_at,
            report.reported_at, report.ingest_key
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    else
        insert into public.agent_executions as run (
            org_id, slug, stream_id, agent_id, agent_name, status, input_summary, output_summary, created_at,
            started_at, completed_at, duration_ms, heartbeat_at, ingest_key
        ) values (
            report.org, report.slug, coalesce(report.stream_id, private.ensure_stream(report.org, 'default')),
            coalesce(body ->> 'agent_id', body ->> 'agent_name', report.slug),
            coalesce(body ->> 'agent_name', report.slug), coalesce(new_status, 'running'), body ->> 'input_summary',
            body ->> 'output_summary', report.reported_at,
            case when new_status is distinct from 'pending' then report.reported_at end,
            report.finished_at, case when report.finished_at is not null then 0 end,
            report.reported_at, report.ingest_key
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    end if;
    return run_id;
end
$$;

-- Builds the report that a body makes. A status that ends a run finishes it.
create or replace function private.read_report(org uuid, kind text, slug text, body jsonb) returns private.run_report
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
    report.reported_at := private.event_time();
    if body ->> 'status' in ('completed', 'failed', 'stopped', 'cancelled') then
        report.finished_at := report.reported_at;
    end if;
    if body ? 'stream' then
        report.stream_id := private.ensure_stream(org, body ->> 'stream');
    end if;
    return report;
end
$$;

-- Updates a run, or creates it at the first report of its slug. Tries again when another report comes in between.
create or replace function private.upsert_run(org uuid, kind text, slug text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    report private.run_report;
    run_id uuid;
    is_new boolean := false;
    finished_status text;
begin
    for attempt in 1..3 loop
        report := private.read_report(org, kind, slug, body);
        run_id := private.update_run(report);
        if run_id is null then
            run_id := private.insert_run(report);
            is_new := run_id is not null;
        end if;
        if run_id is not null then
            if body ? 'reporter' then
                perform private.join_run(org, run_id, body ->> 'reporter');
            end if;
            return jsonb_build_object('status', case when is_new then 201 else 200 end, 'id', run_id);
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

-- Finishes a run. A repetition of the same finish is answered as the first was. A finish with a `reporter` is that of
-- one process, and the run ends with the last.
create or replace function private.finish_run(org uuid, kind text, slug text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    report private.run_report :=
        private.read_report(org, kind, slug, '{"status": "completed", "error": null}'::jsonb || body);
    run_id uuid;
    earlier private.reported_runs;
    ending text;
begin
    if body ? 'reporter' then
        run_id := private.touch_run(org, kind, slug, null);
        if run_id is not null then
            ending := private.leave_run(org, run_id, body ->> 'reporter', report.body ->> 'status');
            if ending is null then
                report.finished_at := null;
                report.body := body - array['status', 'output_summary', 'keep_progress'];
                perform private.update_run(report);
                return jsonb_build_object('status', 200, 'id', run_id);
            end if;
            report.body := report.body || jsonb_build_object('status', ending);
            if not body ? 'error' then
                -- Another process may have left with one.
                report.body := report.body - 'error';
            end if;
        end if;
    end if;
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
create or replace function private.touch_run(
    org uuid, kind text, slug text, declared_interval double precision
) returns uuid
language plpgsql set search_path = ''
as $$
declare
    now_at constant timestamptz := private.event_time();
    reporter constant uuid := private.claimed_ingest_key();
    run_id uuid;
begin
    if kind = 'streams' then
        update public.streams as run set
            heartbeat_at = greatest(run.heartbeat_at, now_at),
            heartbeat_interval = coalesce(declared_interval, run.heartbeat_interval),
            ingest_key = reporter
        where run.org_id = org and run.slug = touch_run.slug and not run.is_finished returning run.id into run_id;
    elsif kind = 'scans' then
        update public.acquisition_scans as run set
            heartbeat_at = greatest(run.heartbeat_at, now_at),
            heartbeat_interval = coalesce(declared_interval, run.heartbeat_interval),
            ingest_key = reporter
        where run.org_id = org and run.slug = touch_run.slug and not run.is_finished returning run.id into run_id;
    else
        update public.agent_executions as run set
            heartbeat_at = greatest(run.heartbeat_at, now_at),
            heartbeat_interval = coalesce(declared_interval, run.heartbeat_interval),
            ingest_key = reporter
        where run.org_id = org and run.slug = touch_run.slug and not run.is_finished returning run.id into run_id;
    end if;
    return run_id;
end
$$;

-- Records heartbeats, and sorts the paths into alive, finished and unknown; 404 if all are unknown.
create or replace function private.heartbeat(org uuid, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    declared_interval constant double precision := coalesce((body ->> 'interval')::double precision, 15);
    path text;
    run_id uuid;
    run_ids uuid[] := array[]::uuid[];
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
        run_id := private.touch_run(org, run_kind, run_slug, declared_interval);
        if run_id is not null then
            alive := alive || path;
            run_ids := run_ids || run_id;
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
    if body ? 'reporter' then
        perform private.see_reporter(org, run_ids, body ->> 'reporter');
    end if;
    return jsonb_build_object('status', 200, 'alive', to_jsonb(alive), 'finished', to_jsonb(finished),
                              'unknown', to_jsonb(unknown));
end
$$;

drop function private.append_log(uuid, jsonb);

-- Appends lines to the log of a run, their times corrected by the error of the program's clock.
-- They may come after its finish, which programs report first, and change nothing.
create or replace function private.append_log(org uuid, body jsonb, clock_error interval) returns jsonb
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
    select org, subject_id, coalesce((line ->> 'at')::timestamptz + clock_error, private.event_time()),
        coalesce(line ->> 'level', 'info'), line ->> 'message'
    from jsonb_array_elements(body -> 'lines') with ordinality as given (line, number) order by number;
    return jsonb_build_object('status', 201, 'id', subject_id, 'lines', jsonb_array_length(body -> 'lines'));
end
$$;

-- Sends an alert or a notification: one row for each recipient.
create or replace function private.send_to_members(org uuid, target text, body jsonb) returns jsonb
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
            (id, org_id, user_id, stream_id, company_name, target_name, signal_type, signal_strength, metadata,
             detected_at, created_at)
        select id, org, recipient, parent_id, body ->> 'company_name', body ->> 'target_name',
            body ->> 'signal_type', (body ->> 'signal_strength')::smallint, coalesce(body -> 'metadata', '{}'),
            private.event_time(), private.event_time()
        from unnest(ids, recipients) as sent (id, recipient);
    else
        insert into public.notifications (id, org_id, user_id, type, title, message, action_url, created_at)
        select id, org, recipient, coalesce(body ->> 'type', 'info'), body ->> 'title',
            coalesce(body ->> 'message', ''), body ->> 'action_url', private.event_time()
        from unnest(ids, recipients) as sent (id, recipient);
    end if;
    return jsonb_build_object('status', 201, 'id', ids[1], 'ids', to_jsonb(ids));
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
    result := case
        when operation ->> 'verb' = 'finish' then private.finish_run(org, target, slug, body)
        when target in ('streams', 'scans', 'agents') then private.upsert_run(org, target, slug, body)
        when target = 'logs' then private.append_log(org, body, private.clock_error(operation))
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

-- Runs operations in order, each in a savepoint; returns an answer or an error for each.
create or replace function private.ingest(org uuid, operations jsonb, touch boolean) returns jsonb
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
        perform set_config(
            'livewatch.event_time',
            case when operation ? 'age'
                then (clock_timestamp() - make_interval(secs => least((operation ->> 'age')::double precision, 1e6)))::text
                else '' end,
            true);
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
    perform set_config('livewatch.event_time', '', true);
    if touch then
        perform private.touch_ingest_key();
    end if;
    return to_jsonb(answers);
end
$$;

revoke execute on all functions in schema private from public;
grant execute on function
    private.event_time(), private.add_amounts(double precision, double precision),
    private.merge_bars(jsonb, jsonb, timestamptz), private.reported_total(jsonb, double precision),
    private.counted_progress(bigint, bigint),
    private.end_time(timestamptz, timestamptz), private.clock_error(jsonb), private.join_run(uuid, uuid, text),
    private.see_reporter(uuid, uuid[], text), private.leave_run(uuid, uuid, text, text),
    private.append_log(uuid, jsonb, interval)
    to authenticated, service_role;
