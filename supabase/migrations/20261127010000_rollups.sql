-- Roll-ups: how many runs waited, ran and ended, and how long they took, by minute, quarter of an hour, day, week and
-- month.
--
-- What a run counts for follows from its row alone, so that roll-ups equal a recount at any time. A trigger notes what
-- a row's change adds and takes away; one process folds the notes into the roll-ups, so that runs which end at once
-- never wait for one row; whoever reads adds the notes that are not folded yet.

-- What a run counts for follows from these columns.
create type private.run_facts as (
    org_id uuid, job_id uuid, created_at timestamptz, began timestamptz, ended timestamptz, is_finished boolean,
    status text);

-- The functions below are part of larger queries: a setting of their own would keep PostgreSQL from merging them.
create function private.facts(run public.streams) returns setof private.run_facts
language sql immutable
as $$
    select run.org_id, run.job_id, run.created_at,
        case when run.goal_status <> 'not_started' or run.is_finished
            then coalesce(run.attempt_started_at, run.created_at) end,
        run.finished_at, run.is_finished, run.goal_status
$$;
create function private.facts(run public.acquisition_scans) returns setof private.run_facts
language sql immutable
as $$
    select run.org_id, run.job_id, run.created_at, run.started_at, run.completed_at, run.is_finished, run.status
$$;
create function private.facts(run public.agent_executions) returns setof private.run_facts
language sql immutable
as $$
    select run.org_id, run.job_id, run.created_at, run.started_at, run.completed_at, run.is_finished, run.status
$$;

-- Returns how a run with a final status ended.
create function private.outcome(status text) returns text
language sql immutable
as $$
    select case when status = 'completed' then 'succeeded' when status in ('failed', 'blocked') then 'failed'
        else 'stopped' end
$$;

-- Returns the part of a logarithmic scale that a duration belongs to, of which each is 8 % wide (as in DDSketch, Masson
-- et al. 2019); -1 where it is not known.
create function private.duration_bin(began timestamptz, ended timestamptz) returns smallint
language sql immutable
as $$
    select case when began <= ended and isfinite(began) and isfinite(ended)
        then ceil(ln(greatest(1000 * extract(epoch from ended - began)::float8, 1)) / ln(1.08::float8))::smallint
        else -1::smallint end
$$;

-- Returns what a run counts for:
--   queue, running              1 when it began to wait or run, -1 when it no longer did
--   succeeded, failed, stopped  1 when it ended, with its duration as `bin`
create function private.measures_of(run private.run_facts)
    returns table (at timestamptz, measure text, bin smallint, count integer)
language sql immutable
as $$
    select each.* from (values
        (case when coalesce(run.began, run.ended, 'infinity') > run.created_at + interval '1 second'
             and (not run.is_finished or coalesce(run.began, run.ended) is not null) then run.created_at end,
         'queue', 0::smallint, 1),
        (case when coalesce(run.began, run.ended) > run.created_at + interval '1 second'
             then coalesce(run.began, run.ended) end,
         'queue', 0::smallint, -1),
        (case when not run.is_finished or run.ended is not null then run.began end, 'running', 0::smallint, 1),
        (case when run.is_finished and run.began is not null then greatest(run.ended, run.began) end,
         'running', 0::smallint, -1),
        (case when run.is_finished then run.ended end,
         private.outcome(run.status), private.duration_bin(run.began, run.ended), 1)
    ) as each (at, measure, bin, count)
    where each.at is not null
$$;

-- `job_id` is the null UUID for all runs of a kind.
create table public.run_rollups (
    org_id uuid not null references public.organizations (id) on delete cascade,
    grain text not null check (grain in ('minute', 'quarter', 'day', 'week', 'month')),
    job_id uuid not null,
    measure text not null,
    at timestamptz not null,
    kind text not null,
    bin smallint not null,
    count bigint not null,
    primary key (org_id, grain, job_id, measure, at, kind, bin)
);
create index run_rollups_minutes_idx on public.run_rollups (at) where grain = 'minute';
create index run_rollups_empty_idx on public.run_rollups (org_id) where count = 0;
create index run_rollups_jobs_idx on public.run_rollups (org_id, grain, at)
    where job_id <> '00000000-0000-0000-0000-000000000000' and measure in ('succeeded', 'failed', 'stopped');
-- What charts of long ranges read of all runs, without the rows of the table.
create index run_rollups_long_idx on public.run_rollups (org_id, grain, measure, at) include (kind, bin, count)
    where job_id = '00000000-0000-0000-0000-000000000000'
        and (grain = 'week' or grain = 'quarter' and measure = 'failed');
alter table public.run_rollups enable row level security;
revoke all on public.run_rollups from anon, authenticated;
grant select on public.run_rollups to authenticated;
grant all on public.run_rollups to service_role;
create policy "members see" on public.run_rollups for select to authenticated
    using (org_id in (select private.my_orgs()));

-- What is not folded yet. Organisations may be deleted meanwhile.
create table public.run_rollup_changes (
    id bigint generated always as identity primary key,
    org_id uuid not null,
    job_id uuid,
    measure text not null,
    at timestamptz not null,
    kind text not null,
    bin smallint not null,
    count integer not null
);
create index run_rollup_changes_org_id_idx on public.run_rollup_changes (org_id);
alter table public.run_rollup_changes enable row level security;
revoke all on public.run_rollup_changes from anon, authenticated;
grant select on public.run_rollup_changes to authenticated;
grant all on public.run_rollup_changes to service_role;
create policy "members see" on public.run_rollup_changes for select to authenticated
    using (org_id in (select private.my_orgs()));

-- Notes what the change of a run adds and takes away. Runs that retention deletes still count.
-- The argument is the kind of run.
create function private.note_measures() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    before private.run_facts;
    after private.run_facts;
begin
    if tg_op = 'DELETE' and current_setting('livewatch.keeps_counts', true) = 'on' then
        return null;
    end if;
    if tg_op <> 'INSERT' then
        select * into before from private.facts(old);
    end if;
    if tg_op <> 'DELETE' then
        select * into after from private.facts(new);
    end if;
    if tg_op = 'UPDATE' then
        if before is not distinct from after then
            return null;
        end if;
        insert into public.run_rollup_changes (org_id, job_id, measure, at, kind, bin, count)
        select each.org_id, each.job_id, each.measure, each.at, tg_argv[0], each.bin, sum(each.count)
        from (
            select before.org_id, before.job_id, was.measure, was.at, was.bin, -was.count as count
            from private.measures_of(before) as was
            union all
            select after.org_id, after.job_id, now_is.measure, now_is.at, now_is.bin, now_is.count
            from private.measures_of(after) as now_is
        ) as each
        group by each.org_id, each.job_id, each.measure, each.at, each.bin having sum(each.count) <> 0;
    elsif tg_op = 'INSERT' then
        insert into public.run_rollup_changes (org_id, job_id, measure, at, kind, bin, count)
        select after.org_id, after.job_id, each.measure, each.at, tg_argv[0], each.bin, each.count
        from private.measures_of(after) as each;
    else
        insert into public.run_rollup_changes (org_id, job_id, measure, at, kind, bin, count)
        select before.org_id, before.job_id, each.measure, each.at, tg_argv[0], each.bin, -each.count
        from private.measures_of(before) as each;
    end if;
    return null;
end
$$;

-- Returns the beginning of the part of time that a moment belongs to; weeks begin on Mondays of UTC.
create function private.grain_start(grain text, at timestamptz) returns timestamptz
language sql stable
as $$
    select case grain when 'minute' then date_trunc('minute', at)
        when 'quarter' then date_bin('15 minutes', at, 'epoch')
        when 'week' then date_bin('7 days', at, '1970-01-05 00:00+00')
        when 'month' then date_trunc('month', at, 'UTC') else date_trunc('day', at, 'UTC') end
$$;

-- Returns the jobs, where the null UUID is all runs, and the grains under which a change counts. Minutes are kept for
-- two days, weeks of all runs, and months of jobs alone, of which the chart of the busiest needs how runs ended.
create function private.rollup_keys(job_id uuid, measure text, at timestamptz) returns table (job uuid, grain text)
language sql stable
as $$
    select keys.job, keys.grain
    from (
        select '00000000-0000-0000-0000-000000000000'::uuid, unnest(array['minute', 'quarter', 'day', 'week'])
        union all
        select $1, unnest(array['minute', 'quarter', 'day', 'month']) where $1 is not null
    ) as keys (job, grain)
    where isfinite($3) and (keys.grain <> 'minute' or $3 >= now() - interval '49 hours')
        and (keys.grain <> 'month' or $2 in ('succeeded', 'failed', 'stopped'))
$$;

-- Times that are none are in no roll-up; months are without durations.
create function private.add_to_rollups(changes public.run_rollup_changes[]) returns void
language sql security definer set search_path = ''
as $$
    insert into public.run_rollups as known (org_id, grain, job_id, measure, at, kind, bin, count)
    select change.org_id, keys.grain, keys.job, change.measure, private.grain_start(keys.grain, change.at), change.kind,
        case when keys.grain = 'month' then 0::smallint else change.bin end,
        sum(change.count)
    from unnest(changes) as change
    join public.organizations as organization on organization.id = change.org_id
    cross join lateral private.rollup_keys(change.job_id, change.measure, change.at) as keys
    group by 1, 2, 3, 4, 5, 6, 7 having sum(change.count) <> 0
    on conflict (org_id, grain, job_id, measure, at, kind, bin) do update set count = known.count + excluded.count
$$;

-- Folds at most `max_rows` notes into the roll-ups; returns their number, 0 while another caller folds.
create function private.fold_rollups(max_rows integer default 5000) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
    taken public.run_rollup_changes[];
begin
    if not pg_try_advisory_xact_lock(hashtextextended('livewatch rollups', 0)) then
        return 0;
    end if;
    delete from public.run_rollups where grain = 'minute' and at < now() - interval '49 hours';
    with gone as (
        delete from public.run_rollup_changes
        where id = any (array(select id from public.run_rollup_changes order by id limit max_rows)) returning *
    )
    select array_agg(gone) into taken from gone;
    if taken is null then
        return 0;
    end if;
    perform private.add_to_rollups(taken);
    delete from public.run_rollups where count = 0;
    return cardinality(taken);
end
$$;

-- Makes the roll-ups of all runs anew, for instance after rows were loaded without triggers.
create function private.recount_rollups() returns void
language plpgsql security definer set search_path = ''
as $$
declare
    kind record;
begin
    perform pg_advisory_xact_lock(hashtextextended('livewatch rollups', 0));
    lock table public.streams, public.acquisition_scans, public.agent_executions in share row exclusive mode;
    delete from public.run_rollup_changes;
    delete from public.run_rollups;
    for kind in select * from (values ('streams', 'streams'), ('acquisition_scans', 'scans'),
                                      ('agent_executions', 'agents')) as kinds (name, kind) loop
        execute format(
            'insert into public.run_rollups (org_id, grain, job_id, measure, at, kind, bin, count)
             select facts.org_id, keys.grain, keys.job, each.measure, private.grain_start(keys.grain, each.at), %L,
                 case when keys.grain = ''month'' then 0::smallint else each.bin end,
                 sum(each.count)
             from public.%I as run cross join lateral private.facts(run) as facts
             cross join lateral private.measures_of(facts) as each
             cross join lateral private.rollup_keys(facts.job_id, each.measure, each.at) as keys
             group by 1, 2, 3, 4, 5, 6, 7 having sum(each.count) <> 0', kind.kind, kind.name);
    end loop;
end
$$;
select private.recount_rollups();

-- Has the roll-ups follow the runs of a table. `moves` are the columns that decide what a run counts for.
create function private.roll_up(table_name text, kind text, moves text[]) returns void
language plpgsql set search_path = ''
as $$
begin
    execute format(
        'create trigger note_measures after insert or delete on public.%I
         for each row execute function private.note_measures(%L)', table_name, kind);
    execute format(
        'create trigger note_changed_measures after update on public.%I for each row when (%s)
         execute function private.note_measures(%L)',
        table_name,
        (select string_agg(format('old.%1$I is distinct from new.%1$I', each), ' or ') from unnest(moves) as each),
        kind);
    execute format(
        'create trigger forget_measures after truncate on public.%I execute function private.forget_measures(%L)',
        table_name, kind);
end
$$;

create function private.forget_measures() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.run_rollup_changes where kind = tg_argv[0];
    delete from public.run_rollups where kind = tg_argv[0];
    return null;
end
$$;
select private.roll_up('streams', 'streams', array[
    'goal_status', 'finished_at', 'attempt_started_at', 'created_at', 'job_id', 'org_id']);
select private.roll_up('acquisition_scans', 'scans', array[
    'status', 'started_at', 'completed_at', 'created_at', 'job_id', 'org_id']);
select private.roll_up('agent_executions', 'agents', array[
    'status', 'started_at', 'completed_at', 'created_at', 'job_id', 'org_id']);

revoke execute on function
    private.note_measures(), private.add_to_rollups(public.run_rollup_changes[]), private.fold_rollups(integer),
    private.recount_rollups(), private.roll_up(text, text, text[]), private.forget_measures() from public;
grant execute on function private.fold_rollups(integer) to authenticated, service_role;
