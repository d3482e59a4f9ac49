-- The inbox of a person: signal alerts and notifications.

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
create index signal_alerts_detected_at_idx on public.signal_alerts (detected_at);
select private.watch_table('signal_alerts', scope => 'user', markable => array['status', 'read_at']);

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
create index notifications_created_at_idx on public.notifications (created_at);
select private.watch_table('notifications', scope => 'user', markable => array['read_at']);
