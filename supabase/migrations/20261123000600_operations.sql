-- What keeping the app running needs of the database: which migrations it has, and forgetting what is old.

-- For `python main.py check` and the readiness probe. No secret: the versions are the names of files in the sources.
create function private.applied_migrations() returns setof text
language plpgsql stable security definer set search_path = ''
as $$
begin
    return query select version from supabase_migrations.schema_migrations;
exception when undefined_table then
    return;
end
$$;

-- How many days an organisation keeps what has ended; null keeps it for ever. Without a row the defaults count.
create table public.retention (
    org_id uuid primary key references public.organizations (id) on delete cascade,
    runs_days integer default 90 check (runs_days between 1 and 36500),
    alerts_days integer default 90 check (alerts_days between 1 and 36500),
    events_days integer default 30 check (events_days between 1 and 36500)
);
alter table public.retention enable row level security;
revoke all on public.retention from anon, authenticated;
grant select, insert, update on public.retention to authenticated;
grant all on public.retention to service_role;
create policy "members see" on public.retention
    for select to authenticated using (org_id in (select private.my_orgs()));
create policy "admins choose" on public.retention
    for insert to authenticated with check (org_id in (select private.my_administered_orgs()));
create policy "admins change" on public.retention
    for update to authenticated using (org_id in (select private.my_administered_orgs()));

-- Forgets at most `most` rows of each table and tells how many of each: whoever calls it goes on while there are more.
-- Only what has ended goes: a run that is under way stays, whatever its age, and a stream waits for the last of its runs.
-- Several callers do not get in each other's way: one works, the others are told of nothing.
create function private.forget_old(most integer default 500) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    kind record;
    counts jsonb := '{}';
    forgotten integer;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('livewatch retention', 0)) then
        return counts;
    end if;
    for kind in select * from (values
        ('agent_executions', 'completed_at', 'runs_days', 90, 'true'),
        ('acquisition_scans', 'completed_at', 'runs_days', 90, 'true'),
        ('streams', 'finished_at', 'runs_days', 90,
         'not exists (select from public.agent_executions as run where run.stream_id = one.id)
          and not exists (select from public.acquisition_scans as run where run.stream_id = one.id)'),
        ('signal_alerts', 'detected_at', 'alerts_days', 90, 'true'),
        ('notifications', 'created_at', 'alerts_days', 90, 'true'),
        ('activities', 'created_at', 'events_days', 30, 'true'),
        ('log_lines', 'at', 'events_days', 30, 'true')
    ) as kinds (name, ended, days, default_days, further) loop
        execute format(
            'with old as (
                 select one.id from public.%1$I as one left join public.retention as kept using (org_id)
                 where one.%2$I < now() - make_interval(
                         days => case when kept.org_id is null then %4$s else kept.%3$I end)
                     and %5$s
                 limit %6$s
             )
             delete from public.%1$I as one using old where one.id = old.id',
            kind.name, kind.ended, kind.days, kind.default_days, kind.further, most);
        get diagnostics forgotten = row_count;
        counts := counts || jsonb_build_object(kind.name, forgotten);
    end loop;
    return counts;
end
$$;

create index agent_executions_completed_at_idx on public.agent_executions (completed_at);
create index acquisition_scans_completed_at_idx on public.acquisition_scans (completed_at);
create index streams_finished_at_idx on public.streams (finished_at);
create index signal_alerts_detected_at_idx on public.signal_alerts (detected_at);
create index notifications_created_at_idx on public.notifications (created_at);
create index activities_created_at_idx on public.activities (created_at);
create index log_lines_at_idx on public.log_lines (at);

revoke execute on function private.applied_migrations(), private.forget_old(integer) from public;
grant execute on function private.applied_migrations(), private.forget_old(integer) to authenticated, service_role;
