-- Runs: streams, acquisition scans and agent executions; their progress, its history, and what happened to them.

create table public.streams (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    name text not null check (char_length(btrim(name)) between 1 and 200),
    description text not null default '' check (char_length(description) <= 4000),
    stream_type text not null default 'general' check (char_length(btrim(stream_type)) between 1 and 60),
    goal_status text not null default 'not_started'
        check (goal_status in ('not_started', 'in_progress', 'on_track', 'at_risk', 'blocked', 'completed')),
    completed bigint not null default 0 check (completed >= 0),
    total bigint not null default 0 check (total >= 0),
    percentage double precision generated always as (
        case when total > 0 then least(100, floor(1000.0 * completed / total) / 10) else 0 end
    ) stored,
    target_metrics jsonb not null default '{}'
        check (jsonb_typeof(target_metrics) = 'object' and pg_column_size(target_metrics) <= 16384),
    metadata jsonb not null default '{}'
        check (jsonb_typeof(metadata) = 'object' and pg_column_size(metadata) <= 16384),
    error text check (char_length(error) <= 8000),
    finished_at timestamptz,
    is_finished boolean generated always as (finished_at is not null) stored,
    last_progress_at timestamptz,
    rate double precision,
    rate_window double precision,
    progress_interval double precision,
    created_by uuid references auth.users (id) on delete set null,
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (id, org_id)
);
create index streams_org_id_idx on public.streams (org_id, updated_at desc);
create index streams_finished_at_idx on public.streams (finished_at);
select private.watch_table('streams');

create table public.acquisition_scans (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    stream_id uuid,
    name text not null check (char_length(btrim(name)) between 1 and 200),
    status text not null default 'configuring'
        check (status in ('configuring', 'scanning', 'analyzing', 'paused', 'completed', 'failed')),
    is_finished boolean generated always as (status in ('completed', 'failed')) stored,
    current_step text check (char_length(current_step) <= 200),
    steps jsonb not null default '[]'
        check (jsonb_typeof(steps) = 'array' and pg_column_size(steps) <= 32768),
    progress_percentage double precision not null default 0 check (progress_percentage between 0 and 100),
    targets_identified bigint not null default 0 check (targets_identified >= 0),
    targets_analyzed bigint not null default 0 check (targets_analyzed >= 0),
    started_at timestamptz,
    completed_at timestamptz,
    error text check (char_length(error) <= 8000),
    last_progress_at timestamptz,
    rate double precision,
    rate_window double precision,
    progress_interval double precision,
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (id, org_id),
    foreign key (stream_id, org_id) references public.streams (id, org_id) on delete set null (stream_id)
);
create index acquisition_scans_org_id_idx on public.acquisition_scans (org_id, updated_at desc);
create index acquisition_scans_stream_id_idx on public.acquisition_scans (stream_id);
create index acquisition_scans_completed_at_idx on public.acquisition_scans (completed_at);
select private.watch_table('acquisition_scans');

create table public.agent_executions (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    stream_id uuid not null,
    agent_id text not null check (char_length(btrim(agent_id)) between 1 and 200),
    agent_name text not null check (char_length(btrim(agent_name)) between 1 and 200),
    status text not null default 'pending'
        check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
    is_finished boolean generated always as (status in ('completed', 'failed', 'cancelled')) stored,
    started_at timestamptz,
    completed_at timestamptz,
    duration_ms bigint check (duration_ms >= 0),
    input_summary text check (char_length(input_summary) <= 4000),
    output_summary text check (char_length(output_summary) <= 4000),
    error text check (char_length(error) <= 8000),
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (id, org_id),
    foreign key (stream_id, org_id) references public.streams (id, org_id) on delete cascade
);
create index agent_executions_org_id_idx on public.agent_executions (org_id, created_at desc);
create index agent_executions_stream_id_idx on public.agent_executions (stream_id, created_at desc);
create index agent_executions_completed_at_idx on public.agent_executions (completed_at);
-- Programs that follow runs read those that were updated last.
create index agent_executions_updated_at_idx on public.agent_executions (org_id, updated_at desc);
select private.watch_table('agent_executions');

-- A stream finishes when its status becomes `completed`, or when a program finishes it. A member who changes the status
-- of a finished stream reopens it.
create function private.stamp_finish() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if new.goal_status = 'completed' then
        new.finished_at := coalesce(new.finished_at, clock_timestamp());
    elsif tg_op = 'UPDATE' and new.goal_status is distinct from old.goal_status
        and new.finished_at is not distinct from old.finished_at then
        new.finished_at := null;
    end if;
    return new;
end
$$;
create trigger stamp_finish before insert or update of goal_status on public.streams
    for each row execute function private.stamp_finish();

-- Refuses changes to a finished scan or agent execution: a late report must neither revive it nor change its times.
create function private.keep_finished() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    fixed constant text[] := array[
        'status', 'started_at', 'completed_at', 'duration_ms', 'progress_percentage', 'current_step'];
begin
    if not old.is_finished then
        return new;
    end if;
    if exists (
        select from unnest(fixed) as field (name)
        where to_jsonb(old) -> field.name is distinct from to_jsonb(new) -> field.name
    ) then
        raise exception 'The run % has finished (%) and cannot be changed: start a new run.', old.id, old.status
            using errcode = '55000';
    end if;
    return new;
end
$$;
create trigger keep_finished before update on public.acquisition_scans
    for each row execute function private.keep_finished();
create trigger keep_finished before update on public.agent_executions
    for each row execute function private.keep_finished();

-- Measures progress. `rate` is in units per second (streams: `completed`; scans: percentage points), `rate_window` the
-- seconds of history behind it, `progress_interval` the usual seconds between two steps. A writer's values are ignored.
--
-- The rate is the ratio of two sums, units and seconds, both weighted down exponentially with age: over a minute, or
-- over five steps where steps are rarer. Like tqdm's, the ratio needs no start-up correction.
create function private.stamp_progress() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
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
    new.last_progress_at := now_at;
    began := old.last_progress_at;
    if began is null and tg_table_name = 'acquisition_scans' then
        began := new.started_at;
    end if;
    seconds := extract(epoch from now_at - began);
    if gained < 0 or seconds is null or seconds <= 0 then
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
create trigger stamp_progress before insert or update of completed, rate, rate_window, progress_interval
    on public.streams for each row execute function private.stamp_progress();
create trigger stamp_progress before insert or update of progress_percentage, rate, rate_window, progress_interval
    on public.acquisition_scans for each row execute function private.stamp_progress();

-- The progress history behind charts: `done` of `whole` units at a time.
create table public.progress_points (
    subject_id uuid not null,
    at timestamptz not null,
    org_id uuid not null references public.organizations (id) on delete cascade,
    done double precision not null,
    whole double precision not null,
    primary key (subject_id, at)
);
create index progress_points_org_id_idx on public.progress_points (org_id, at);
alter table public.progress_points enable row level security;
revoke all on public.progress_points from anon, authenticated;
grant select on public.progress_points to authenticated;
grant all on public.progress_points to service_role;
create policy "members see" on public.progress_points
    for select to authenticated using (org_id in (select private.my_orgs()));

-- Records a point of the history. The gap between two points grows with the age of the run, from a second to a minute:
-- a run has some 500 points after ten minutes and 2,500 after eight hours.
create function private.record_progress() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
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
create trigger record_progress after insert or update of completed, total on public.streams
    for each row execute function private.record_progress();
create trigger record_progress after insert or update of progress_percentage on public.acquisition_scans
    for each row execute function private.record_progress();

-- Deletes the history of a deleted run.
create function private.delete_progress() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.progress_points where subject_id = old.id;
    return null;
end
$$;
create trigger delete_progress after delete on public.streams
    for each row execute function private.delete_progress();
create trigger delete_progress after delete on public.acquisition_scans
    for each row execute function private.delete_progress();

-- One row for every status that a run took.
create table public.activities (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    stream_id uuid references public.streams (id) on delete cascade,
    subject_table text not null check (subject_table in ('streams', 'acquisition_scans', 'agent_executions')),
    subject_id uuid not null,
    subject_name text not null,
    status text not null,
    previous_status text,
    actor uuid,
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index activities_org_id_idx on public.activities (org_id, created_at desc);
create index activities_stream_id_idx on public.activities (stream_id, created_at desc);
create index activities_created_at_idx on public.activities (created_at);
select private.watch_table('activities', writers => 'database');

-- Records an activity for a new status; a run that has not started leaves none.
create function private.record_activity() returns trigger
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
            new_status, old_status, (select auth.uid()), clock_timestamp()
        );
    end if;
    return null;
end
$$;
create trigger record_activity after insert or update of goal_status on public.streams
    for each row execute function private.record_activity();
create trigger record_activity after insert or update of status on public.acquisition_scans
    for each row execute function private.record_activity();
create trigger record_activity after insert or update of status on public.agent_executions
    for each row execute function private.record_activity();

revoke execute on all functions in schema private from public;
