-- Roll-ups of tokens and cost: sums of what runs logged as metrics of these names, by minute, quarter of an hour and day.
--
-- They are sums of points by the time of each, so that they equal a recount at any time. Statements note what they add
-- and take away, a row a minute; one process folds the notes into the roll-ups; whoever reads adds those not folded yet.

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

-- Notes the points that a statement added.
create function private.note_added_points() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.metric_rollup_changes (org_id, name, at, kind, points, total)
    select point.org_id, point.name, date_trunc('minute', point.at), metric.kind, count(*), sum(point.value::numeric)
    from added as point join public.run_metrics as metric on metric.run_id = point.run_id and metric.name = point.name
    where point.name = any (private.summed_metrics()) and private.is_finite(point.value) and isfinite(point.at)
    group by 1, 2, 3, 4;
    return null;
end
$$;

-- Notes the points that a statement replaced.
create function private.note_replaced_points() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.metric_rollup_changes (org_id, name, at, kind, points, total)
    select point.org_id, point.name, date_trunc('minute', point.at), metric.kind,
        sum(point.sign), sum(point.sign * point.value::numeric)
    from (
        select run_id, name, org_id, at, value, 1 as sign from added where private.is_finite(value) and isfinite(at)
        union all
        select run_id, name, org_id, at, value, -1 from removed where private.is_finite(value) and isfinite(at)
    ) as point join public.run_metrics as metric on metric.run_id = point.run_id and metric.name = point.name
    where point.name = any (private.summed_metrics())
    group by 1, 2, 3, 4 having sum(point.sign) <> 0 or sum(point.sign * point.value::numeric) <> 0;
    return null;
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

create trigger note_added_points after insert on public.metric_points
    referencing new table as added for each statement execute function private.note_added_points();
create trigger note_replaced_points after update on public.metric_points
    referencing old table as removed new table as added
    for each statement execute function private.note_replaced_points();
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
    private.note_added_points(), private.note_replaced_points(), private.note_removed_points(),
    private.note_deleted_metric(), private.forget_points(), private.fold_metric_rollups(integer) from public;
grant execute on function private.fold_metric_rollups(integer) to authenticated, service_role;
