-- The watcher: what time alone changes of a run is found in the database, once, and shown as it was found.
--
-- `incidents` of a run holds the kinds of its open incidents. The watcher adds to it, and reports remove from it, in
-- the statement that writes them. A trigger turns each difference into a row of `public.incidents` and an activity, so
-- that run, incident and activity are of one transaction.
--
--   unreachable   missed three heartbeats
--   stalled       no progress for six typical steps, and at least 30 s
--   slow          takes more than twice as long as runs of its job usually do, and a minute more
--   overdue       takes longer than its job's schedule allows
--   late          a run of a job that was expected has not begun; of the job, not of a run

create function private.watch_run_table(table_name text) returns void
language plpgsql set search_path = ''
as $$
begin
    execute format(
        'alter table public.%I add column incidents text[] not null default ''{}''
             check (incidents <@ array[''unreachable'', ''stalled'', ''slow'', ''overdue''])', table_name);
end
$$;
select private.watch_run_table('streams');
select private.watch_run_table('acquisition_scans');
select private.watch_run_table('agent_executions');
drop function private.watch_run_table(text);

-- Updates of what is no news of the work keep `updated_at`: also what the watcher finds.
create or replace function private.unstamp_heartbeat() returns trigger
language plpgsql set search_path = ''
as $$
declare
    touched record := old;
begin
    -- What such an update sets, then stamp_row; the generated columns of `new` are computed after this trigger.
    touched.heartbeat_at := new.heartbeat_at;
    touched.heartbeat_interval := new.heartbeat_interval;
    touched.reportable_since := new.reportable_since;
    touched.archived_at := new.archived_at;
    touched.incidents := new.incidents;
    touched.ingest_key := new.ingest_key;
    touched.version := new.version;
    touched.updated_at := new.updated_at;
    touched.is_finished := new.is_finished;
    if tg_table_name = 'streams' then
        touched.percentage := new.percentage;
    end if;
    if new is not distinct from touched then
        new.updated_at := old.updated_at;
    end if;
    return new;
end
$$;
drop trigger unstamp_heartbeat on public.streams;
create trigger unstamp_heartbeat before update of heartbeat_at, reportable_since, archived_at, incidents
    on public.streams
    for each row when (new.completed = old.completed and new.goal_status = old.goal_status)
    execute function private.unstamp_heartbeat();
drop trigger unstamp_heartbeat on public.acquisition_scans;
create trigger unstamp_heartbeat before update of heartbeat_at, reportable_since, archived_at, incidents
    on public.acquisition_scans
    for each row when (new.progress_percentage = old.progress_percentage and new.status = old.status)
    execute function private.unstamp_heartbeat();
drop trigger unstamp_heartbeat on public.agent_executions;
create trigger unstamp_heartbeat before update of heartbeat_at, reportable_since, archived_at, incidents
    on public.agent_executions
    for each row when (new.status = old.status) execute function private.unstamp_heartbeat();

-- What the watcher found, once each; open until `recovered_at`.
create table public.incidents (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    kind text not null check (kind in ('unreachable', 'stalled', 'slow', 'overdue', 'late')),
    -- A run, or a job for the kind `late`.
    subject_table text not null check (
        subject_table = case when kind = 'late' then 'jobs' else subject_table end
        and subject_table in ('streams', 'acquisition_scans', 'agent_executions', 'jobs')),
    subject_id uuid not null,
    subject_name text not null,
    job_id uuid,
    -- The stream that the run is, or that it belongs to.
    stream_id uuid,
    -- The status of the run when it was found; null for a job.
    status text,
    -- Since when: the last heartbeat, the last progress, the time at which it was due, or the limit of its duration.
    began_at timestamptz not null,
    recovered_at timestamptz,
    -- Why it is over: the run reported or began again, or it ended, or its schedule was changed.
    recovery text check (recovery in ('reported', 'ended', 'changed')),
    created_at timestamptz not null default now(),
    check ((recovered_at is null) = (recovery is null))
);
create unique index incidents_open_idx on public.incidents (subject_id, kind) where recovered_at is null;
create index incidents_org_id_idx on public.incidents (org_id, created_at desc);
create index incidents_job_id_idx on public.incidents (job_id, created_at desc);
create index incidents_subject_idx on public.incidents (subject_id, created_at desc);
alter table public.incidents enable row level security;
revoke all on public.incidents from anon, authenticated;
grant select on public.incidents to authenticated;
grant all on public.incidents to service_role;
create policy "members see" on public.incidents for select to authenticated
    using (org_id in (select private.my_orgs()));

-- An activity is a new status, or the begin or the end of an incident: `unreachable`, or `recovered` after a time.
alter table public.activities
    drop constraint activities_subject_table_check,
    add constraint activities_subject_table_check
        check (subject_table in ('streams', 'acquisition_scans', 'agent_executions', 'jobs')),
    add column incident_id uuid references public.incidents (id) on delete cascade,
    -- Seconds that an incident lasted that is over.
    add column lasted_seconds double precision;
create index activities_incident_id_idx on public.activities (incident_id) where incident_id is not null;

-- The time by which the watcher judges; that of the report which is being written for every other write.
create function private.watch_time() returns timestamptz
language sql volatile set search_path = ''
as $$
    select coalesce(nullif(current_setting('livewatch.watch_time', true), '')::timestamptz, private.event_time())
$$;

-- Tells of an incident that begins or ends, in its transaction: the one place that each passes exactly once.
create function private.announce_incident() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    is_over constant boolean := new.recovered_at is not null;
begin
    -- The end of a run tells itself, and so does a schedule that somebody changes.
    if is_over and new.recovery <> 'reported' then
        return null;
    end if;
    insert into public.activities
        (org_id, stream_id, subject_table, subject_id, subject_name, status, previous_status, incident_id,
         lasted_seconds, created_at)
    values (
        new.org_id, new.stream_id, new.subject_table, new.subject_id, new.subject_name,
        case when is_over then 'recovered' else new.kind end, case when is_over then new.kind else new.status end,
        new.id, case when is_over then greatest(0, extract(epoch from new.recovered_at - new.began_at)) end,
        coalesce(new.recovered_at, new.created_at));
    return null;
end
$$;
create trigger announce_begin after insert on public.incidents
    for each row execute function private.announce_incident();
create trigger announce_end after update on public.incidents
    for each row when (old.recovered_at is null and new.recovered_at is not null)
    execute function private.announce_incident();

-- Drops the incidents of a run that a write ends. Members and programs cannot write them.
create function private.stamp_incidents() returns trigger
language plpgsql set search_path = ''
as $$
declare
    is_working boolean;
    has_progressed boolean := false;
begin
    if current_user in ('authenticated', 'anon') then
        new.incidents := old.incidents;
    end if;
    if tg_table_name = 'streams' then
        is_working := new.finished_at is null and new.goal_status in ('in_progress', 'on_track', 'at_risk');
        has_progressed := new.completed <> old.completed or new.total <> old.total;
    elsif tg_table_name = 'acquisition_scans' then
        is_working := new.status in ('scanning', 'analyzing');
        has_progressed := new.progress_percentage <> old.progress_percentage;
    else
        is_working := new.status = 'running';
    end if;
    if not is_working or new.attempt <> old.attempt then
        new.incidents := '{}';
        return new;
    end if;
    if has_progressed then
        new.incidents := array_remove(new.incidents, 'stalled');
    end if;
    -- A report that waited with its program may be of a time before the silence.
    if new.heartbeat_at is distinct from old.heartbeat_at
        and new.heartbeat_at + make_interval(secs => 3 * coalesce(new.heartbeat_interval, 0)) > clock_timestamp() then
        new.incidents := array_remove(new.incidents, 'unreachable');
    end if;
    return new;
end
$$;
create trigger stamp_incidents before update on public.streams
    for each row when (old.incidents <> '{}' or new.incidents <> '{}') execute function private.stamp_incidents();
create trigger stamp_incidents before update on public.acquisition_scans
    for each row when (old.incidents <> '{}' or new.incidents <> '{}') execute function private.stamp_incidents();
create trigger stamp_incidents before update on public.agent_executions
    for each row when (old.incidents <> '{}' or new.incidents <> '{}') execute function private.stamp_incidents();

-- A new run has no incidents, whoever writes it.
create function private.clear_incidents() returns trigger
language plpgsql set search_path = ''
as $$
begin
    new.incidents := '{}';
    return new;
end
$$;
create trigger clear_incidents before insert on public.streams
    for each row when (new.incidents <> '{}') execute function private.clear_incidents();
create trigger clear_incidents before insert on public.acquisition_scans
    for each row when (new.incidents <> '{}') execute function private.clear_incidents();
create trigger clear_incidents before insert on public.agent_executions
    for each row when (new.incidents <> '{}') execute function private.clear_incidents();

-- Begins and ends incidents as those of a run have changed.
create function private.record_incidents() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    run constant jsonb := to_jsonb(new);
    status constant text := coalesce(run ->> 'goal_status', run ->> 'status');
    now_at constant timestamptz := private.watch_time();
    run_start constant timestamptz := coalesce(
        new.attempt_started_at, (run ->> 'started_at')::timestamptz, new.created_at);
begin
    update public.incidents as open set
        recovered_at = greatest(now_at, open.began_at),
        recovery = case when new.is_finished or new.attempt <> old.attempt then 'ended'
            when open.kind in ('slow', 'overdue') then 'changed' else 'reported' end
    where open.subject_id = new.id and open.recovered_at is null and open.kind <> all (new.incidents);
    insert into public.incidents
        (org_id, kind, subject_table, subject_id, subject_name, job_id, stream_id, status, began_at, created_at)
    select new.org_id, found.kind, tg_table_name, new.id, coalesce(run ->> 'name', run ->> 'agent_name'), new.job_id,
        case when tg_table_name = 'streams' then new.id else (run ->> 'stream_id')::uuid end, status,
        least(now_at, coalesce(case found.kind
            when 'unreachable' then new.heartbeat_at
            when 'stalled' then (run ->> 'last_progress_at')::timestamptz
            when 'slow' then run_start + make_interval(secs => private.slow_after(new.usual_seconds))
        end, now_at)), now_at
    from unnest(new.incidents) as found (kind) where found.kind <> all (old.incidents)
    on conflict (subject_id, kind) where recovered_at is null do nothing;
    return null;
end
$$;
create trigger record_incidents after update on public.streams
    for each row when (new.incidents <> old.incidents) execute function private.record_incidents();
create trigger record_incidents after update on public.acquisition_scans
    for each row when (new.incidents <> old.incidents) execute function private.record_incidents();
create trigger record_incidents after update on public.agent_executions
    for each row when (new.incidents <> old.incidents) execute function private.record_incidents();

-- Seconds after which a run is longer than usual.
create function private.slow_after(usual_seconds double precision) returns double precision
language sql immutable set search_path = ''
as $$
    select greatest(2 * usual_seconds, usual_seconds + 60)
$$;

-- Deletes the incidents of a deleted run or job.
create function private.delete_incidents() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.incidents where subject_id = old.id;
    return null;
end
$$;
create trigger delete_incidents after delete on public.streams
    for each row execute function private.delete_incidents();
create trigger delete_incidents after delete on public.acquisition_scans
    for each row execute function private.delete_incidents();
create trigger delete_incidents after delete on public.agent_executions
    for each row execute function private.delete_incidents();
create trigger delete_incidents after delete on public.jobs
    for each row execute function private.delete_incidents();

-- When the app was last away: what the programs of that time have to tell arrives late.
alter table private.app_presence add column returned_at timestamptz;

-- Notes that the app is there, as the watcher does every second. After an absence of more than `max_absence`, runs that were well when the app went away
-- get time to report again, counted from now: those whose deadline would pass within a heartbeat. Returns the seconds of
-- the absence; 0 for none.
create or replace function private.mark_present(max_absence interval default '6 s') returns double precision
language plpgsql security definer set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
    left_at timestamptz;
    kind record;
begin
    perform pg_advisory_xact_lock(hashtextextended('livewatch presence', 0));
    select seen_at into left_at from private.app_presence;
    insert into private.app_presence as presence (seen_at) values (now_at)
    on conflict (is_one) do update set
        seen_at = excluded.seen_at,
        returned_at = case when now_at - presence.seen_at > max_absence then now_at else presence.returned_at end;
    if left_at is null or now_at - left_at <= max_absence then
        return 0;
    end if;
    for kind in select * from (values
        ('streams', private.stall_deadline_sql()), ('acquisition_scans', private.stall_deadline_sql()),
        ('agent_executions', 'null')
    ) as kinds (name, stalls_at) loop
        execute format(
            'update public.%1$I as one set reportable_since = $1
             where not one.is_finished and (
                 greatest(one.heartbeat_at, one.reportable_since) + make_interval(secs => 3 * one.heartbeat_interval)
                     between $2 and $1 + make_interval(secs => one.heartbeat_interval)
                 or %2$s between $2 and $1 + interval ''15 s'')', kind.name, kind.stalls_at)
            using now_at, left_at;
    end loop;
    return extract(epoch from now_at - left_at);
end
$$;

-- SQL of the time at which a run `one` stalls without further progress.
create function private.stall_deadline_sql() returns text
language sql immutable set search_path = ''
as $$
    select 'greatest(one.last_progress_at, one.reportable_since)
        + make_interval(secs => greatest(30, 6 * coalesce(one.progress_interval, 0)))'
$$;

revoke execute on function
    private.watch_time(), private.announce_incident(), private.stamp_incidents(), private.clear_incidents(),
    private.record_incidents(),
    private.slow_after(double precision), private.delete_incidents(), private.stall_deadline_sql() from public;
