-- Tidying up: archived runs, and the end of runs whose program has been unreachable for long.

alter table public.streams add column archived_at timestamptz;
alter table public.acquisition_scans add column archived_at timestamptz;
alter table public.agent_executions add column archived_at timestamptz;

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
                     and one.heartbeat_at < now() - make_interval(
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

revoke execute on function private.end_unreachable(integer) from public;
grant execute on function private.end_unreachable(integer) to authenticated, service_role;
