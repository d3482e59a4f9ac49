-- The work that an organisation watches: streams, acquisition scans and agent executions.

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
    last_progress_at timestamptz,
    created_by uuid references auth.users (id) on delete set null,
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (id, org_id)
);
create index streams_org_id_idx on public.streams (org_id, updated_at desc);

create function private.stamp_progress() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        if new.completed > 0 then
            new.last_progress_at := coalesce(new.last_progress_at, clock_timestamp());
        end if;
    elsif new.completed is distinct from old.completed then
        new.last_progress_at := clock_timestamp();
    end if;
    return new;
end
$$;
revoke execute on function private.stamp_progress() from public;
create trigger stamp_progress before insert or update of completed on public.streams
    for each row execute function private.stamp_progress();

create table public.acquisition_scans (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    stream_id uuid,
    name text not null check (char_length(btrim(name)) between 1 and 200),
    status text not null default 'configuring'
        check (status in ('configuring', 'scanning', 'analyzing', 'paused', 'completed', 'failed')),
    current_step text check (char_length(current_step) <= 200),
    steps jsonb not null default '[]'
        check (jsonb_typeof(steps) = 'array' and pg_column_size(steps) <= 32768),
    progress_percentage double precision not null default 0 check (progress_percentage between 0 and 100),
    targets_identified bigint not null default 0 check (targets_identified >= 0),
    targets_analyzed bigint not null default 0 check (targets_analyzed >= 0),
    started_at timestamptz,
    completed_at timestamptz,
    error text check (char_length(error) <= 8000),
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (id, org_id),
    foreign key (stream_id, org_id) references public.streams (id, org_id) on delete set null (stream_id)
);
create index acquisition_scans_org_id_idx on public.acquisition_scans (org_id, updated_at desc);
create index acquisition_scans_stream_id_idx on public.acquisition_scans (stream_id);

create table public.agent_executions (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    stream_id uuid not null,
    agent_id text not null check (char_length(btrim(agent_id)) between 1 and 200),
    agent_name text not null check (char_length(btrim(agent_name)) between 1 and 200),
    status text not null default 'pending'
        check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
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

-- The same three rules for each: members see, operators and admins write, nobody moves a row to another organisation
-- (private.stamp_row keeps org_id; the checks below keep an insert inside).
do $$
declare
    monitored text;
begin
    foreach monitored in array array['streams', 'acquisition_scans', 'agent_executions'] loop
        execute format(
            'create trigger stamp_row before insert or update on public.%I
                 for each row execute function private.stamp_row()', monitored);
        execute format('alter table public.%I enable row level security', monitored);
        execute format('revoke all on public.%I from anon, authenticated', monitored);
        execute format('grant select, insert, update, delete on public.%I to authenticated', monitored);
        execute format('grant all on public.%I to service_role', monitored);
        execute format(
            'create policy "members see" on public.%I
                 for select to authenticated using (org_id in (select private.my_orgs()))', monitored);
        execute format(
            'create policy "operators and admins insert" on public.%I
                 for insert to authenticated with check (org_id in (select private.my_writable_orgs()))', monitored);
        execute format(
            'create policy "operators and admins update" on public.%I
                 for update to authenticated using (org_id in (select private.my_writable_orgs()))', monitored);
        execute format(
            'create policy "operators and admins delete" on public.%I
                 for delete to authenticated using (org_id in (select private.my_writable_orgs()))', monitored);
    end loop;
end
$$;
