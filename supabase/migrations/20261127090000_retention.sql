-- Retention of what this version stores, and roll-ups that outlive their runs.

-- Returns which tables retention deletes from: the column of the time from which on their rows age, the column of
-- `retention` with the days and those by default, and a further condition of a row `one`.
create function private.expiring_tables()
    returns table (name text, ended_at text, days text, default_days integer, condition text)
language sql immutable set search_path = ''
as $$
    values
        ('agent_executions', 'completed_at', 'runs_days', 90, 'true'),
        ('acquisition_scans', 'completed_at', 'runs_days', 90, 'true'),
        ('streams', 'finished_at', 'runs_days', 90,
         'not exists (select from public.agent_executions as run where run.stream_id = one.id)
          and not exists (select from public.acquisition_scans as run where run.stream_id = one.id)'),
        ('jobs', 'last_run_at', 'runs_days', 90,
         'not exists (select from public.streams as run where run.job_id = one.id)
          and not exists (select from public.acquisition_scans as run where run.job_id = one.id)
          and not exists (select from public.agent_executions as run where run.job_id = one.id)
          and not exists (select from public.schedules as plan where plan.job_id = one.id)'),
        ('signal_alerts', 'detected_at', 'alerts_days', 90, 'true'),
        ('notifications', 'created_at', 'alerts_days', 90, 'true'),
        ('activities', 'created_at', 'events_days', 30, 'true'),
        ('incidents', 'recovered_at', 'events_days', 30, 'true'),
        ('log_lines', 'at', 'events_days', 30, 'true'),
        ('deliveries', 'created_at', 'events_days', 30, 'one.next_at is null'),
        ('firings', 'at', 'events_days', 30, 'true'),
        ('audit_events', 'at', 'audit_days', 365, 'true')
$$;

-- Deletes what is older than its organisation keeps it; of jobs those that have neither runs nor a schedule any more.
create or replace function private.delete_expired(max_rows integer default 500) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    kind record;
    counts jsonb := '{}';
    deleted integer;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('livewatch retention', 0)) then
        return counts;
    end if;
    -- What retention deletes goes on counting.
    perform set_config('livewatch.keeps_counts', 'on', true);
    for kind in select * from private.expiring_tables() loop
        execute format(
            'with expired as (
                 select one.id from public.%1$I as one left join public.retention as chosen using (org_id)
                 where one.%2$I < now() - make_interval(
                         days => case when chosen.org_id is null then %4$s else chosen.%3$I end)
                     and %5$s
                 limit %6$s
             )
             delete from public.%1$I as one using expired where one.id = expired.id',
            kind.name, kind.ended_at, kind.days, kind.default_days, kind.condition, max_rows);
        get diagnostics deleted = row_count;
        counts := counts || jsonb_build_object(kind.name, deleted);
    end loop;
    perform set_config('livewatch.keeps_counts', '', true);
    return counts;
end
$$;

revoke execute on function private.expiring_tables() from public;
