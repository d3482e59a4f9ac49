-- Roll-ups of whole months, in UTC, of how the runs of jobs ended: the busiest jobs of two years are a fortieth of the rows.
alter table public.run_rollups drop constraint run_rollups_grain_check;
alter table public.run_rollups add constraint run_rollups_grain_check
    check (grain in ('minute', 'quarter', 'day', 'month'));

-- Returns the beginning of the part of time that a moment belongs to.
create or replace function private.grain_start(grain text, at timestamptz) returns timestamptz
language sql stable
as $$
    select case grain when 'minute' then date_trunc('minute', at)
        when 'quarter' then date_bin('15 minutes', at, 'epoch') 
        when 'month' then date_trunc('month', at, 'UTC') else date_trunc('day', at, 'UTC') end
$$;

-- Times that are none are in no roll-up; minutes are kept for two days; months are of jobs alone, and
-- without durations.
create or replace function private.add_to_rollups(changes public.run_rollup_changes[]) returns void
language sql security definer set search_path = ''
as $$
    insert into public.run_rollups as known (org_id, grain, job_id, measure, at, kind, bin, count)
    select change.org_id, grain, job, change.measure, private.grain_start(grain, change.at), change.kind,
        case when grain = 'month' then 0::smallint else change.bin end,
        sum(change.count)
    from unnest(changes) as change
    join public.organizations as organization on organization.id = change.org_id
    cross join unnest(array['minute', 'quarter', 'day', 'month']) as grain
    cross join lateral (
        select '00000000-0000-0000-0000-000000000000'::uuid as job
        union all select change.job_id where change.job_id is not null
    ) as jobs
    where isfinite(change.at) and (grain <> 'minute' or change.at >= now() - interval '49 hours')
        and (grain <> 'month' or job <> '00000000-0000-0000-0000-000000000000'
            and change.measure in ('succeeded', 'failed', 'stopped'))
    group by 1, 2, 3, 4, 5, 6, 7 having sum(change.count) <> 0
    on conflict (org_id, grain, job_id, measure, at, kind, bin) do update set count = known.count + excluded.count
$$;

-- Makes the roll-ups of all runs anew, for instance after rows were loaded without triggers.
create or replace function private.recount_rollups() returns void
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
             select facts.org_id, grain, job, each.measure, private.grain_start(grain, each.at), %L,
                 case when grain = ''month'' then 0::smallint else each.bin end,
                 sum(each.count)
             from public.%I as run cross join lateral private.facts(run) as facts
             cross join lateral private.measures_of(facts) as each
             cross join unnest(array[''minute'', ''quarter'', ''day'', ''month'']) as grain
             cross join lateral (
                 select ''00000000-0000-0000-0000-000000000000''::uuid as job
                 union all select facts.job_id where facts.job_id is not null
             ) as jobs
             where isfinite(each.at) and (grain <> ''minute'' or each.at >= now() - interval ''49 hours'')
                 and (grain <> ''month'' or job <> ''00000000-0000-0000-0000-000000000000''
                     and each.measure in (''succeeded'', ''failed'', ''stopped''))
             group by 1, 2, 3, 4, 5, 6, 7 having sum(each.count) <> 0', kind.kind, kind.name);
    end loop;
end
$$;

-- Days as they are, with what retention deleted.
insert into public.run_rollups (org_id, grain, job_id, measure, at, kind, bin, count)
select org_id, 'month', job_id, measure, private.grain_start('month', at), kind, 0, sum(count)
from public.run_rollups
where grain = 'day' and job_id <> '00000000-0000-0000-0000-000000000000'
    and measure in ('succeeded', 'failed', 'stopped')
group by 1, 2, 3, 4, 5, 6, 7 having sum(count) <> 0;
