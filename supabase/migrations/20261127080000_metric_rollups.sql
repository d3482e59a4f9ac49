-- Roll-ups of tokens and cost: sums of what runs logged as metrics of these names, by minute, quarter of an hour and day.
--
-- They are sums of points by the time of each, so that they equal a recount at any time. What writes points notes what
-- that adds and takes away, a row a minute: `private.store_metrics`, which alone adds and replaces them, and triggers for
-- what is deleted. One process folds the notes into the roll-ups; whoever reads adds those not folded yet.

-- Returns the names of the metrics that are summed.
create function private.summed_metrics() returns text[]
language sql immutable
as $$
    select array['tokens', 'input_tokens', 'output_tokens', 'cost']
$$;

-- By which boards with a filter read the points themselves.
create index metric_points_summed_idx on public.metric_points (org_id, at) include (run_id, name, value)
    where name in ('tokens', 'input_tokens', 'output_tokens', 'cost');

-- `total` is numeric: what is added and taken away again leaves nothing, in any order.
create table public.metric_rollups (
    org_id uuid not null references public.organizations (id) on delete cascade,
    grain text not null check (grain in ('minute', 'quarter', 'day')),
    name text not null,
    at timestamptz not null,
    kind text not null,
    points bigint not null,
    total numeric not null,
    primary key (org_id, grain, name, at, kind)
);
create index metric_rollups_minutes_idx on public.metric_rollups (at) where grain = 'minute';
create index metric_rollups_empty_idx on public.metric_rollups (org_id) where points = 0 and total = 0;

-- What is not folded yet. Organisations may be deleted meanwhile.
create table public.metric_rollup_changes (
    id bigint generated always as identity primary key,
    org_id uuid not null,
    name text not null,
    at timestamptz not null,
    kind text not null,
    points bigint not null,
    total numeric not null
);
create index metric_rollup_changes_org_id_idx on public.metric_rollup_changes (org_id);

alter table public.metric_rollups enable row level security;
alter table public.metric_rollup_changes enable row level security;
revoke all on public.metric_rollups, public.metric_rollup_changes from anon, authenticated;
grant select on public.metric_rollups, public.metric_rollup_changes to authenticated;
grant all on public.metric_rollups, public.metric_rollup_changes to service_role;
create policy "members see" on public.metric_rollups for select to authenticated
    using (org_id in (select private.my_orgs()));
create policy "members see" on public.metric_rollup_changes for select to authenticated
    using (org_id in (select private.my_orgs()));

-- Stores points of a run of the current key's organisation; returns the names that it has no room for. `given` are
-- objects of `step`, `at` and `values`; without a step, a point gets the one after the highest of the run. A point at a
-- step that the metric has replaces it. Notes what that changes of the sums.
create function private.store_metrics(
    org uuid, run_kind text, run uuid, given jsonb, clock_error interval
) returns text[]
-- Planned once: a plan for each call took a sixth of it.
language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan
as $$
declare
    max_names constant integer := 1000;
    max_points constant bigint := 1000000;
    now_at constant timestamptz := private.event_time();
    names bigint;
    stored bigint;
    next_step bigint;
    summed_until bigint;
    refused text[];
begin
    if not private.may_report(org, run_kind, run) then
        return null;
    end if;
    select count(*), coalesce(sum(metric.points), 0), coalesce(max(metric.last_step) + 1, 0)
    into names, stored, next_step from public.run_metrics as metric where metric.run_id = run;
    if stored >= max_points then
        perform private.raise_api_error('422', format(
            'The run has %s points of metrics already, and may have %s: log more rarely, or begin another run.',
            stored, max_points), 'points');
    end if;
    select (array_agg(name order by place, name))[greatest(max_names - names, 0)::integer + 1:] into refused
    from (
        select value.key as name, min(each.number) as place
        from jsonb_array_elements(given) with ordinality as each (point, number), jsonb_each(point -> 'values') as value
        where not exists (
            select from public.run_metrics as metric where metric.run_id = run and metric.name = value.key)
        group by value.key
    ) as new_name;
    refused := coalesce(refused, array[]::text[]);
    -- Sorted, so that two programs with the same metrics do not wait for each other's rows.
    insert into public.run_metrics (run_id, name, org_id, kind, first_step, last_step, last_value, created_at)
    select distinct run, value.key, org, run_kind, 9007199254740992, -1, 0::double precision, now_at
    from jsonb_array_elements(given) as each (point), jsonb_each(point -> 'values') as value
    where value.key <> all (refused) order by value.key
    on conflict (run_id, name) do nothing;
    -- Held, so that the points which these replace are those that are taken from the sums.
    select max(metric.last_step) into summed_until from (
        select last_step from public.run_metrics
        where run_id = run and name = any (private.summed_metrics()) order by name for update
    ) as metric;
    with reported as (
        select each.number, coalesce((point ->> 'step')::bigint, next_step + each.number - 1) as step,
            coalesce((point ->> 'at')::timestamptz + clock_error, now_at) as at,
            value.key as name, (value.value #>> '{}')::double precision as value
        from jsonb_array_elements(given) with ordinality as each (point, number), jsonb_each(point -> 'values') as value
        where value.key <> all (refused)
    ), latest as (
        select distinct on (name, step) * from reported order by name, step, number desc
    ), summed as (
        select name, at, value, 1 as sign from latest where name = any (private.summed_metrics())
        union all
        select point.name, point.at, point.value, -1
        from latest join public.metric_points as point
            on point.run_id = run and point.name = latest.name and point.step = latest.step
        where latest.step <= summed_until and latest.name = any (private.summed_metrics())
    ), noted as (
        insert into public.metric_rollup_changes (org_id, name, at, kind, points, total)
        select org, name, date_trunc('minute', at), run_kind, sum(sign), sum(sign * value::numeric)
        from summed where private.is_finite(value) and isfinite(at)
        group by name, date_trunc('minute', at) having sum(sign) <> 0 or sum(sign * value::numeric) <> 0
    ), written as (
        insert into public.metric_points as known (run_id, name, step, org_id, at, value)
        select run, name, step, org, at, value from latest order by name, step
        on conflict (run_id, name, step) do update set at = excluded.at, value = excluded.value
        returning known.name, known.step, known.value, known.xmax = 0 as is_new
    ), changed as (
        select name, count(*) filter (where is_new) as added, count(*) filter (where not is_new) as replaced,
            min(step) as first_step, max(step) as last_step,
            (array_agg(value order by step desc))[1] as last_value,
            min(value) filter (where private.is_finite(value)) as minimum,
            max(value) filter (where private.is_finite(value)) as maximum
        from written group by name
    )
    update public.run_metrics as metric set
        points = metric.points + changed.added,
        replaced = metric.replaced + changed.replaced,
        last_value = case when changed.last_step >= metric.last_step then changed.last_value else metric.last_value end,
        first_step = least(metric.first_step, changed.first_step),
        last_step = greatest(metric.last_step, changed.last_step),
        minimum = least(metric.minimum, changed.minimum),
        maximum = greatest(metric.maximum, changed.maximum),
        updated_at = clock_timestamp()
    from changed where metric.run_id = run and metric.name = changed.name;
    return refused;
end
$$;

-- Notes the points that a statement deleted; those whose metric is deleted are noted by `note_deleted_metric`.
create function private.note_removed_points() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if current_setting('livewatch.keeps_counts', true) = 'on' then
        return null;
    end if;
    insert into public.metric_rollup_changes (org_id, name, at, kind, points, total)
    select point.org_id, point.name, date_trunc('minute', point.at), metric.kind, -count(*), -sum(point.value::numeric)
    from removed as point join public.run_metrics as metric on metric.run_id = point.run_id and metric.name = point.name
    where point.name = any (private.summed_metrics()) and private.is_finite(point.value) and isfinite(point.at)
    group by 1, 2, 3, 4;
    return null;
end
$$;

-- Notes the points of a metric that is about to be deleted. What retention deletes goes on counting.
create function private.note_deleted_metric() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if current_setting('livewatch.keeps_counts', true) is distinct from 'on' then
        insert into public.metric_rollup_changes (org_id, name, at, kind, points, total)
        select org_id, name, date_trunc('minute', at), old.kind, -count(*), -sum(value::numeric)
        from public.metric_points
        where run_id = old.run_id and name = old.name and private.is_finite(value) and isfinite(at)
        group by 1, 2, 3;
    end if;
    return old;
end
$$;

create function private.forget_points() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.metric_rollup_changes;
    delete from public.metric_rollups;
    return null;
end
$$;

create trigger note_removed_points after delete on public.metric_points
    referencing old table as removed for each statement execute function private.note_removed_points();
create trigger note_deleted_metric before delete on public.run_metrics
    for each row when (old.name in ('tokens', 'input_tokens', 'output_tokens', 'cost'))
    execute function private.note_deleted_metric();
create trigger forget_points after truncate on public.metric_points execute function private.forget_points();

-- Folds at most `max_rows` notes into the roll-ups; returns their number, 0 while another caller folds. Minutes are
-- kept for two days.
create function private.fold_metric_rollups(max_rows integer default 5000) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
    taken public.metric_rollup_changes[];
begin
    if not pg_try_advisory_xact_lock(hashtextextended('livewatch metric rollups', 0)) then
        return 0;
    end if;
    delete from public.metric_rollups where grain = 'minute' and at < now() - interval '49 hours';
    with gone as (
        delete from public.metric_rollup_changes
        where id = any (array(select id from public.metric_rollup_changes order by id limit max_rows)) returning *
    )
    select array_agg(gone) into taken from gone;
    if taken is null then
        return 0;
    end if;
    insert into public.metric_rollups as known (org_id, grain, name, at, kind, points, total)
    select change.org_id, grain, change.name, private.grain_start(grain, change.at), change.kind,
        sum(change.points), sum(change.total)
    from unnest(taken) as change
    join public.organizations as organization on organization.id = change.org_id
    cross join unnest(array['minute', 'quarter', 'day']) as grain
    where grain <> 'minute' or change.at >= now() - interval '49 hours'
    group by 1, 2, 3, 4, 5 having sum(change.points) <> 0 or sum(change.total) <> 0
    on conflict (org_id, grain, name, at, kind)
        do update set points = known.points + excluded.points, total = known.total + excluded.total;
    delete from public.metric_rollups where points = 0 and total = 0;
    return cardinality(taken);
end
$$;

-- What was logged before this version.
insert into public.metric_rollup_changes (org_id, name, at, kind, points, total)
select point.org_id, point.name, date_trunc('minute', point.at), metric.kind, count(*), sum(point.value::numeric)
from public.metric_points as point
join public.run_metrics as metric on metric.run_id = point.run_id and metric.name = point.name
where point.name in ('tokens', 'input_tokens', 'output_tokens', 'cost') and private.is_finite(point.value)
    and isfinite(point.at)
group by 1, 2, 3, 4;

revoke execute on function
    private.store_metrics(uuid, text, uuid, jsonb, interval), private.note_removed_points(),
    private.note_deleted_metric(), private.forget_points(), private.fold_metric_rollups(integer) from public;
grant execute on function
    private.store_metrics(uuid, text, uuid, jsonb, interval), private.fold_metric_rollups(integer)
    to authenticated, service_role;
