-- Operations: the applied migrations, and retention.

-- Returns the versions of the applied migrations, for `python main.py check` and the readiness probe. They are part of
-- the names of source files, so they are no secret.
create function private.applied_migrations() returns setof text
language plpgsql stable security definer set search_path = ''
as $$
begin
    return query select version from supabase_migrations.schema_migrations;
exception when undefined_table then
    return;
end
$$;

-- Days that an organisation keeps what has ended; null keeps it for ever, no row means the defaults.
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

-- Deletes at most `max_rows` expired rows of each table; returns the number of each, empty while another caller works.
-- Only what has ended expires: an unfinished run stays at any age, and a stream until the last of its runs is gone.
create function private.delete_expired(max_rows integer default 500) returns jsonb
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
    ) as kinds (name, ended_at, days, default_days, condition) loop
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
    return counts;
end
$$;

revoke execute on all functions in schema private from public;
grant execute on function private.applied_migrations(), private.delete_expired(integer)
    to authenticated, service_role;
