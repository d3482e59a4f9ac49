-- What reaches one person: signal alerts and notifications. Only the recipient sees them.

create table public.signal_alerts (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null,
    user_id uuid not null,
    stream_id uuid,
    company_name text check (char_length(company_name) <= 200),
    target_name text not null check (char_length(btrim(target_name)) between 1 and 200),
    signal_type text not null check (char_length(btrim(signal_type)) between 1 and 80),
    signal_strength smallint not null check (signal_strength between 0 and 100),
    priority text generated always as (
        case
            when signal_strength >= 90 then 'urgent'
            when signal_strength >= 75 then 'high'
            when signal_strength >= 50 then 'medium'
            else 'low'
        end
    ) stored check (priority in ('low', 'medium', 'high', 'urgent')),
    status text not null default 'new' check (status in ('new', 'acknowledged', 'dismissed')),
    read_at timestamptz,
    metadata jsonb not null default '{}'
        check (jsonb_typeof(metadata) = 'object' and pg_column_size(metadata) <= 16384),
    detected_at timestamptz not null default now(),
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    foreign key (org_id, user_id) references public.org_members (org_id, user_id) on delete cascade,
    foreign key (stream_id, org_id) references public.streams (id, org_id) on delete set null (stream_id)
);
create index signal_alerts_user_id_idx on public.signal_alerts (user_id, detected_at desc);
create index signal_alerts_org_id_user_id_idx on public.signal_alerts (org_id, user_id);
create index signal_alerts_stream_id_idx on public.signal_alerts (stream_id);

create table public.notifications (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null,
    user_id uuid not null,
    type text not null default 'info' check (type in ('info', 'success', 'warning', 'error')),
    title text not null check (char_length(btrim(title)) between 1 and 200),
    message text not null default '' check (char_length(message) <= 4000),
    action_url text check (char_length(action_url) <= 2000 and action_url ~ '^(/|https?://)'),
    is_read boolean generated always as (read_at is not null) stored,
    read_at timestamptz,
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    foreign key (org_id, user_id) references public.org_members (org_id, user_id) on delete cascade
);
create index notifications_user_id_idx on public.notifications (user_id, created_at desc);
create index notifications_org_id_user_id_idx on public.notifications (org_id, user_id);

-- A member who may write raises alerts and notifications for any member of the organisation, without being able to
-- read them back; the recipient reads, marks and deletes them.
do $$
declare
    personal text;
begin
    foreach personal in array array['signal_alerts', 'notifications'] loop
        execute format(
            'create trigger stamp_row before insert or update on public.%I
                 for each row execute function private.stamp_row()', personal);
        execute format('alter table public.%I enable row level security', personal);
        execute format('revoke all on public.%I from anon, authenticated', personal);
        execute format('grant select, insert, delete on public.%I to authenticated', personal);
        execute format('grant all on public.%I to service_role', personal);
        execute format(
            'create policy "recipients see" on public.%I for select to authenticated
                 using (user_id = (select auth.uid()) and org_id in (select private.my_orgs()))', personal);
        execute format(
            'create policy "operators and admins send to members" on public.%I for insert to authenticated
                 with check (org_id in (select private.my_writable_orgs())
                             and private.is_member(user_id, org_id))', personal);
        execute format(
            'create policy "recipients mark" on public.%I for update to authenticated
                 using (user_id = (select auth.uid()) and org_id in (select private.my_orgs()))', personal);
        execute format(
            'create policy "recipients delete" on public.%I for delete to authenticated
                 using (user_id = (select auth.uid()) and org_id in (select private.my_orgs()))', personal);
    end loop;
end
$$;
grant update (status, read_at) on public.signal_alerts to authenticated;
grant update (read_at) on public.notifications to authenticated;
