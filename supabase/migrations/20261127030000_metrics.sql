-- Metrics of runs: named numbers by step, as `run.log(loss=0.3, step=10)` reports them.
--
-- Values are doubles and not jsonb, which has neither NaN nor infinities. Points are read on demand and not broadcast, as
-- lines of logs: writing them is a heartbeat of the run, and that change tells open charts to read on.

-- One row a metric of a run: what a list of metrics shows, and what the limits are checked by.
create table public.run_metrics (
    run_id uuid not null,
    name text not null check (char_length(name) between 1 and 200),
    -- By which programs read lists of them.
    number bigint generated always as identity,
    org_id uuid not null references public.organizations (id) on delete cascade,
    kind text not null check (kind in ('streams', 'scans', 'agents')),
    points bigint not null default 0,
    -- Points that were replaced: a chart that has them reads again.
    replaced bigint not null default 0,
    first_step bigint not null,
    last_step bigint not null,
    last_value double precision not null,
    -- Of all finite values; null without any.
    minimum double precision,
    maximum double precision,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (run_id, name)
);
create index run_metrics_org_id_idx on public.run_metrics (org_id);

create table public.metric_points (
    run_id uuid not null,
    name text not null,
    step bigint not null check (step between 0 and 9007199254740992),
    org_id uuid not null,
    at timestamptz not null,
    value double precision not null,
    primary key (run_id, name, step),
    foreign key (run_id, name) references public.run_metrics (run_id, name) on delete cascade
);

alter table public.run_metrics enable row level security;
alter table public.metric_points enable row level security;
revoke all on public.run_metrics, public.metric_points from anon, authenticated;
grant select on public.run_metrics, public.metric_points to authenticated;
grant all on public.run_metrics, public.metric_points to service_role;
create policy "members see" on public.run_metrics for select to authenticated
    using (org_id in (select private.my_orgs()));
create policy "keys see" on public.run_metrics for select to authenticated
    using (org_id in (select private.ingest_orgs('read')));
create policy "members see" on public.metric_points for select to authenticated
    using (org_id in (select private.my_orgs()));
create policy "keys see" on public.metric_points for select to authenticated
    using (org_id in (select private.ingest_orgs('read')));

-- Deletes the metrics of a deleted run.
create function private.delete_metrics() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.run_metrics where run_id = old.id;
    return null;
end
$$;
create trigger delete_metrics after delete on public.streams for each row execute function private.delete_metrics();
create trigger delete_metrics after delete on public.acquisition_scans
    for each row execute function private.delete_metrics();
create trigger delete_metrics after delete on public.agent_executions
    for each row execute function private.delete_metrics();

-- Whether a value can be drawn.
create function private.is_finite(value double precision) returns boolean
language sql immutable
as $$
    select value not in ('NaN', 'Infinity', '-Infinity')
$$;

-- Returns whether the current key may report what a run of an organisation measures and makes, for functions that write
-- it past row-level security.
create function private.may_report(org uuid, run_kind text, run uuid) returns boolean
language plpgsql stable set search_path = ''
as $$
begin
    return org in (select private.ingest_orgs('runs')) and exists (
        select from private.reported_runs as reported
        where reported.id = run and reported.org_id = org and reported.kind = run_kind);
end
$$;

-- Appends points to the metrics of a run, their times corrected by the error of the program's clock. They may come after
-- its finish, as lines of its log.
create function private.append_metrics(org uuid, body jsonb, clock_error interval) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    run_kind constant text := split_part(body ->> 'run', '/', 1);
    run_slug constant text := private.address_of(org, run_kind, split_part(body ->> 'run', '/', 2));
    subject_id uuid := private.touch_run(org, run_kind, run_slug, null);
    refused text[];
    given integer;
    sentence text;
begin
    if subject_id is null then
        select run.id into subject_id from private.reported_runs as run
        where run.kind = run_kind and run.org_id = org and run.slug = run_slug;
    end if;
    if subject_id is null then
        perform private.raise_api_error(
            '404', format('There is no %s: report it with PUT first.', body ->> 'run'), 'run');
    end if;
    refused := private.store_metrics(org, run_kind, subject_id, body -> 'points', clock_error);
    select count(*) into given
    from jsonb_array_elements(body -> 'points') as point, jsonb_each(point -> 'values') as value
    where value.key <> all (refused);
    if cardinality(refused) > 0 then
        sentence := format(
            '%s metrics are left out, %s among them: a run has at most 1,000 names of metrics. Use fewer names, and '
            'steps for what repeats.', cardinality(refused), to_json(left(refused[1], 60)));
        if given = 0 then
            perform private.raise_api_error('422', sentence, 'points');
        end if;
    end if;
    return jsonb_build_object(
        'status', 201, 'id', subject_id, 'points', given,
        'ignored', case when sentence is null then '[]'::jsonb else jsonb_build_array(jsonb_build_object(
            'code', 'invalid', 'message', sentence, 'field', 'points')) end);
end
$$;

revoke execute on function
    private.delete_metrics(), private.is_finite(double precision), private.may_report(uuid, text, uuid),
    private.append_metrics(uuid, jsonb, interval) from public;
grant execute on function private.is_finite(double precision), private.append_metrics(uuid, jsonb, interval)
    to authenticated, service_role;
