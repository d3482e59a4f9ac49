-- What happened, in the words of the statuses: one row for every status that a stream, a scan or an agent took.

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

create function private.record_activity() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    is_new boolean := tg_op = 'INSERT';
    taken text;
    before text;
begin
    if tg_table_name = 'streams' then
        taken := new.goal_status;
        before := case when not is_new then old.goal_status end;
    else
        taken := new.status;
        before := case when not is_new then old.status end;
    end if;
    if taken is distinct from before and taken not in ('configuring', 'pending') then
        insert into public.activities
            (org_id, stream_id, subject_table, subject_id, subject_name, status, previous_status, actor, created_at)
        values (
            new.org_id,
            case when tg_table_name = 'streams' then new.id else (to_jsonb(new) ->> 'stream_id')::uuid end,
            tg_table_name,
            new.id,
            coalesce(to_jsonb(new) ->> 'name', to_jsonb(new) ->> 'agent_name'),
            taken, before, (select auth.uid()), clock_timestamp()
        );
    end if;
    return null;
end
$$;
revoke execute on function private.record_activity() from public, authenticated;
create trigger record_activity after insert or update of goal_status on public.streams
    for each row execute function private.record_activity();
create trigger record_activity after insert or update of status on public.acquisition_scans
    for each row execute function private.record_activity();
create trigger record_activity after insert or update of status on public.agent_executions
    for each row execute function private.record_activity();

create trigger stamp_row before insert or update on public.activities
    for each row execute function private.stamp_row();
create trigger broadcast_row after insert or update or delete on public.activities
    for each row execute function private.broadcast_row('org', 'org_id');

-- Nobody writes it but the trigger.
alter table public.activities enable row level security;
revoke all on public.activities from anon, authenticated;
grant select on public.activities to authenticated;
grant all on public.activities to service_role;
create policy "members see" on public.activities
    for select to authenticated using (org_id in (select private.my_orgs()));

alter publication supabase_realtime add table public.activities;
