-- Tidying up: archived runs, the end of runs whose program has been unreachable for long, and the absence of the app,
-- for which no program is to blame.

alter table public.streams add column archived_at timestamptz, add column reportable_since timestamptz;
alter table public.acquisition_scans add column archived_at timestamptz, add column reportable_since timestamptz;
alter table public.agent_executions add column archived_at timestamptz, add column reportable_since timestamptz;

-- Keeps `updated_at` for what is no news of the work: a heartbeat, the end of an absence, the archive.
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
drop trigger unstamp_heartbeat on public.acquisition_scans;
drop trigger unstamp_heartbeat on public.agent_executions;
create trigger unstamp_heartbeat before update of heartbeat_at, reportable_since, archived_at on public.streams
    for each row execute function private.unstamp_heartbeat();
create trigger unstamp_heartbeat before update of heartbeat_at, reportable_since, archived_at on public.acquisition_scans
    for each row execute function private.unstamp_heartbeat();
create trigger unstamp_heartbeat before update of heartbeat_at, reportable_since, archived_at on public.agent_executions
    for each row execute function private.unstamp_heartbeat();

-- Days after which an unreachable run counts as over; null never ends one.
alter table public.retention
    add column unreachable_days integer default 7 check (unreachable_days between 1 and 36500);

-- Cancels at most `max_rows` runs of each table that missed three heartbeats and have been silent for the organisation's
-- `unreachable_days`; returns the number of each, empty while another caller works. Runs without heartbeats stay.
create function private.end_unreachable(max_rows integer default 500) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    kind record;
    counts jsonb := '{}';
    ended integer;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('livewatch retention', 0)) then
        return counts;
    end if;
    for kind in select * from (values
        ('streams', 'goal_status', 'finished_at', array['in_progress', 'on_track', 'at_risk']),
        ('acquisition_scans', 'status', 'completed_at', array['scanning', 'analyzing']),
        ('agent_executions', 'status', 'completed_at', array['running'])
    ) as kinds (name, status, ended_at, active) loop
        execute format(
            'with silent as (
                 select one.id from public.%1$I as one left join public.retention as chosen using (org_id)
                 where not one.is_finished and one.%2$I = any (%3$L)
                     and one.heartbeat_at < now() - make_interval(secs => 3 * one.heartbeat_interval)
                     and greatest(one.heartbeat_at, one.reportable_since) < now() - make_interval(
                             days => case when chosen.org_id is null then 7 else chosen.unreachable_days end)
                 limit %4$s
                 for update of one skip locked
             )
             update public.%1$I as one set
                 %2$I = ''cancelled'', %5$I = one.heartbeat_at,
                 error = coalesce(one.error, ''Unreachable since '' || to_char(
                     one.heartbeat_at at time zone ''UTC'', ''YYYY-MM-DD HH24:MI "UTC"'') || ''.'')
             from silent where one.id = silent.id',
            kind.name, kind.status, kind.active, max_rows, kind.ended_at);
        get diagnostics ended = row_count;
        counts := counts || jsonb_build_object(kind.name, ended);
    end loop;
    return counts;
end
$$;

-- When an app process was last there to take reports.
create table private.app_presence (
    is_one boolean primary key default true check (is_one),
    seen_at timestamptz not null
);

-- Notes that the app is there. After an absence of more than `max_absence` every run that was reachable when the app
-- went away gets until its usual deadline, counted from now, to report again. Returns the seconds of the absence; 0
-- for none.
create function private.mark_present(max_absence interval default '25 s') returns double precision
language plpgsql security definer set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
    left_at timestamptz;
    kind text;
begin
    perform pg_advisory_xact_lock(hashtextextended('livewatch presence', 0));
    select seen_at into left_at from private.app_presence;
    insert into private.app_presence (seen_at) values (now_at)
    on conflict (is_one) do update set seen_at = excluded.seen_at;
    if left_at is null or now_at - left_at <= max_absence then
        return 0;
    end if;
    foreach kind in array array['streams', 'acquisition_scans', 'agent_executions'] loop
        execute format(
            'update public.%I as one set reportable_since = $1
             where not one.is_finished and one.heartbeat_interval is not null
                 and greatest(one.heartbeat_at, one.reportable_since)
                     >= $2 - make_interval(secs => 3 * one.heartbeat_interval)', kind)
            using now_at, left_at;
    end loop;
    return extract(epoch from now_at - left_at);
end
$$;

revoke execute on function private.end_unreachable(integer), private.mark_present(interval) from public;
grant execute on function private.end_unreachable(integer), private.mark_present(interval)
    to authenticated, service_role;
