-- Events that time alone makes, with figures of a rule's own.
--
--   overlong  a run takes longer than so many times its usual duration
--   behind    the progress of a run is below so many per cent at a time after its beginning, or at a time of day
--   absent    no run of a job has begun for a time
--
-- Each run in progress and each job has one clock, whatever the number of rules: the time at which the next of its
-- figures is due. An index finds the clocks that are due; the app judges these, fires, and sets each to its next figure.

-- A run that begins asks whether its organisation has such rules.
create index rules_timed_idx on public.rules (org_id)
    where is_enabled and events && array['overlong', 'behind', 'absent'];

create table private.rule_clocks (
    subject_id uuid primary key,
    subject_table text not null,
    org_id uuid not null references public.organizations (id) on delete cascade,
    -- When it is judged next; infinity if no further figure is due.
    check_at timestamptz not null,
    -- What was due by then has been judged; null for nothing.
    judged_at timestamptz,
    -- Of a job whose schedule was paused: an absence counts from then on.
    since timestamptz,
    -- The last change of rules that has set it, and rules that changed from then on are judged whenever they were due.
    replan bigint not null default 0,
    changed_from timestamptz
);
create index rule_clocks_check_at_idx on private.rule_clocks (check_at);
create index rule_clocks_org_id_idx on private.rule_clocks (org_id, replan);

-- Organisations whose rules have changed, until all their clocks are set.
create table private.rule_replans (
    org_id uuid primary key references public.organizations (id) on delete cascade,
    id bigint not null,
    changed_from timestamptz not null
);
create sequence private.rule_replan_ids;

create function private.replan_rules() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    timed constant text[] := array['overlong', 'behind', 'absent'];
begin
    if tg_op = 'UPDATE' and new.events = old.events and new.definition = old.definition
        and new.is_enabled = old.is_enabled then
        return null;
    end if;
    if tg_op <> 'INSERT' and old.events && timed or tg_op <> 'DELETE' and new.events && timed then
        insert into private.rule_replans as known (org_id, id, changed_from)
        -- Not for an organisation that is deleted with its rules.
        select org.id, nextval('private.rule_replan_ids'), coalesce(new.updated_at, clock_timestamp())
        from public.organizations as org where org.id = coalesce(new.org_id, old.org_id)
        on conflict (org_id) do update set
            id = excluded.id, changed_from = least(known.changed_from, excluded.changed_from);
    end if;
    return null;
end
$$;
create trigger replan after insert or update or delete on public.rules
    for each row execute function private.replan_rules();

-- Sets the clock of a run that begins, begins again or goes on; a new attempt is judged anew.
create function private.start_clock() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    is_anew constant boolean := tg_op = 'INSERT' or new.attempt is distinct from old.attempt;
begin
    insert into private.rule_clocks as clock (subject_id, subject_table, org_id, check_at)
    select new.id, tg_table_name, new.org_id, clock_timestamp()
    where exists (
        select from public.rules as rule
        where rule.org_id = new.org_id and rule.is_enabled and rule.events && array['overlong', 'behind', 'absent'])
    on conflict (subject_id) do update set
        check_at = excluded.check_at, judged_at = case when not is_anew then clock.judged_at end;
    return null;
end
$$;

-- Removes the clock of a run or job that ended or was deleted.
create function private.stop_clock() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from private.rule_clocks where subject_id = old.id;
    return null;
end
$$;

create function private.start_job_clock() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into private.rule_clocks (subject_id, subject_table, org_id, check_at)
    select new.id, 'jobs', new.org_id, clock_timestamp()
    where exists (
        select from public.rules as rule
        where rule.org_id = new.org_id and rule.is_enabled and rule.events && array['overlong', 'behind', 'absent'])
    on conflict (subject_id) do nothing;
    return null;
end
$$;

create trigger start_clock after insert on public.streams
    for each row when (new.goal_status in ('in_progress', 'on_track', 'at_risk') and new.finished_at is null)
    execute function private.start_clock();
create trigger restart_clock after update on public.streams
    for each row when (
        new.goal_status in ('in_progress', 'on_track', 'at_risk') and new.finished_at is null
        and (old.goal_status not in ('in_progress', 'on_track', 'at_risk') or old.finished_at is not null
            or new.attempt <> old.attempt or new.attempt_started_at is distinct from old.attempt_started_at))
    execute function private.start_clock();
create trigger stop_clock after update on public.streams
    for each row when (new.finished_at is not null and old.finished_at is null) execute function private.stop_clock();
create trigger stop_clock_of_deleted after delete on public.streams
    for each row execute function private.stop_clock();
create trigger start_clock after insert on public.acquisition_scans
    for each row when (new.status in ('scanning', 'analyzing')) execute function private.start_clock();
create trigger restart_clock after update on public.acquisition_scans
    for each row when (
        new.status in ('scanning', 'analyzing')
        and (old.status not in ('scanning', 'analyzing') or new.attempt <> old.attempt
            or new.attempt_started_at is distinct from old.attempt_started_at
            or new.started_at is distinct from old.started_at))
    execute function private.start_clock();
create trigger stop_clock after update on public.acquisition_scans
    for each row when (new.is_finished and not old.is_finished) execute function private.stop_clock();
create trigger stop_clock_of_deleted after delete on public.acquisition_scans
    for each row execute function private.stop_clock();
create trigger start_clock after insert on public.agent_executions
    for each row when (new.status = 'running') execute function private.start_clock();
create trigger restart_clock after update on public.agent_executions
    for each row when (
        new.status = 'running'
        and (old.status <> 'running' or new.attempt <> old.attempt
            or new.attempt_started_at is distinct from old.attempt_started_at
            or new.started_at is distinct from old.started_at))
    execute function private.start_clock();
create trigger stop_clock after update on public.agent_executions
    for each row when (new.is_finished and not old.is_finished) execute function private.stop_clock();
create trigger stop_clock_of_deleted after delete on public.agent_executions
    for each row execute function private.stop_clock();
create trigger start_clock after insert on public.jobs for each row execute function private.start_job_clock();
create trigger stop_clock_of_deleted after delete on public.jobs
    for each row execute function private.stop_clock();

-- A job begins anew with each run, and other rules may be for it; likewise for a run and its job whose tags change.
create function private.wake_clock() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    -- A job has no `job_id`.
    update private.rule_clocks as one set check_at = clock_timestamp()
    where one.subject_id in (new.id, (to_jsonb(new) ->> 'job_id')::uuid) and one.check_at > clock_timestamp();
    return null;
end
$$;
create trigger wake_clock after update of last_run_at on public.jobs
    for each row when (new.last_run_at > old.last_run_at) execute function private.wake_clock();
create trigger wake_clock after update of tags on public.streams
    for each row when (new.tags <> old.tags and new.finished_at is null) execute function private.wake_clock();
create trigger wake_clock after update of tags on public.acquisition_scans
    for each row when (new.tags <> old.tags and not new.is_finished) execute function private.wake_clock();
create trigger wake_clock after update of tags on public.agent_executions
    for each row when (new.tags <> old.tags and not new.is_finished) execute function private.wake_clock();

-- A job whose schedule goes on after a pause has been absent since then.
create function private.resume_clock() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into private.rule_clocks as clock (subject_id, subject_table, org_id, check_at, since)
    select old.job_id, 'jobs', old.org_id, clock_timestamp(), clock_timestamp()
    from public.jobs as job where job.id = old.job_id
    on conflict (subject_id) do update set check_at = excluded.check_at, since = excluded.since;
    return null;
end
$$;
create trigger resume_clock after update on public.schedules
    for each row when (new.paused_at is distinct from old.paused_at) execute function private.resume_clock();
create trigger resume_clock_of_removed after delete on public.schedules
    for each row when (old.paused_at is not null) execute function private.resume_clock();

-- Sets the clocks of organisations whose rules have changed; returns the number of clocks, at most `max_rows` of each
-- kind and organisation.
create function private.prepare_clocks(max_rows integer) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
    plan private.rule_replans;
    judges_runs boolean;
    judges_jobs boolean;
    changed integer;
    most integer := 0;
begin
    for plan in select * from private.rule_replans order by id limit 10 for update skip locked loop
        select coalesce(bool_or(rule.events && array['overlong', 'behind']), false),
            coalesce(bool_or('absent' = any (rule.events)), false)
        into judges_runs, judges_jobs
        from public.rules as rule
        where rule.org_id = plan.org_id and rule.is_enabled and rule.events && array['overlong', 'behind', 'absent'];
        with stale as (
            select one.subject_id from private.rule_clocks as one
            where one.org_id = plan.org_id and one.replan < plan.id
            limit max_rows for update skip locked
        )
        update private.rule_clocks as one set
            check_at = clock_timestamp(), replan = plan.id,
            changed_from = least(one.changed_from, plan.changed_from)
        from stale where one.subject_id = stale.subject_id;
        get diagnostics changed = row_count;
        with begun as (
            (select one.id, 'streams' as subject_table from public.streams as one
             where judges_runs and one.org_id = plan.org_id and not one.is_finished
                 and one.goal_status in ('in_progress', 'on_track', 'at_risk')
                 and not exists (select from private.rule_clocks as known where known.subject_id = one.id)
             limit max_rows)
            union all
            (select one.id, 'acquisition_scans' from public.acquisition_scans as one
             where judges_runs and one.org_id = plan.org_id and not one.is_finished
                 and one.status in ('scanning', 'analyzing')
                 and not exists (select from private.rule_clocks as known where known.subject_id = one.id)
             limit max_rows)
            union all
            (select one.id, 'agent_executions' from public.agent_executions as one
             where judges_runs and one.org_id = plan.org_id and not one.is_finished and one.status = 'running'
                 and not exists (select from private.rule_clocks as known where known.subject_id = one.id)
             limit max_rows)
            union all
            (select one.id, 'jobs' from public.jobs as one
             where judges_jobs and one.org_id = plan.org_id
                 and not exists (select from private.rule_clocks as known where known.subject_id = one.id)
             limit max_rows)
        ), added as (
            insert into private.rule_clocks (subject_id, subject_table, org_id, check_at, replan)
            select begun.id, begun.subject_table, plan.org_id, clock_timestamp(), plan.id
            from begun order by begun.id
            on conflict (subject_id) do nothing
            returning subject_id
        )
        select changed + count(*) into changed from added;
        if changed = 0 then
            delete from private.rule_replans where org_id = plan.org_id;
        end if;
        most := greatest(most, changed);
    end loop;
    return most;
end
$$;

-- Takes at most `max_rows` clocks that are due, each with the facts of its subject. For a minute after an absence of the
-- app it takes none: what programs had to tell meanwhile may arrive late.
--
-- Returns {"clocks", "versions"}; a version of an organisation's rules changes whenever one of them does.
create function private.take_clocks(max_rows integer, now_at timestamptz, is_simulated boolean) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    judges boolean;
    taken jsonb;
begin
    select coalesce(bool_and(
        coalesce(presence.returned_at <= now_at - interval '60 s', true)
        -- An absence that the watcher has yet to note.
        and (is_simulated or presence.seen_at > clock_timestamp() - interval '6 s')), true)
    into judges from private.app_presence as presence;
    if not judges then
        return '{"clocks": [], "versions": {}}';
    end if;
    with due as (
        select one.* from private.rule_clocks as one where one.check_at <= now_at
        order by one.check_at limit max_rows for update skip locked
    )
    select jsonb_build_object(
        'clocks', coalesce((
            select jsonb_agg(jsonb_build_object(
                'org_id', due.org_id, 'subject_table', due.subject_table, 'subject_id', due.subject_id,
                'judged_at', due.judged_at, 'since', due.since, 'changed_from', due.changed_from,
                'row', private.subject_facts(due.subject_table, due.subject_id)))
            from due), '[]'),
        'versions', coalesce((
            select jsonb_object_agg(orgs.org_id, (
                select jsonb_build_array(count(*), max(rule.updated_at)) from public.rules as rule
                where rule.org_id = orgs.org_id and rule.is_enabled
                    and rule.events && array['overlong', 'behind', 'absent']))
            from (select distinct due.org_id from due) as orgs), '{}'))
    into taken;
    return taken;
end
$$;

-- Returns the enabled rules of organisations that judge by time.
create function private.timed_rules(orgs jsonb) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(rule)), '[]') from public.rules as rule
    where rule.org_id in (select org::uuid from jsonb_array_elements_text(orgs) as org) and rule.is_enabled
        and rule.events && array['overlong', 'behind', 'absent']
$$;

-- Sets clocks that were judged: a list of {"id", "check_at"}.
create function private.set_clocks(clocks jsonb, now_at timestamptz) returns void
language sql security definer set search_path = ''
as $$
    update private.rule_clocks as one set check_at = given.check_at, judged_at = now_at, changed_from = null
    from jsonb_to_recordset(clocks) as given (id uuid, check_at timestamptz)
    where one.subject_id = given.id
$$;

-- Ends at most `max_rows` firings of time that are over. Returns of each also `why`: the run `ended`, began `again` or
-- has `caught_up`, a run of the job has `begun`; or nobody asks any more (`gone`).
create function private.take_overs(max_rows integer, now_at timestamptz) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    taken jsonb;
begin
    with open as (
        select one.id, one.subject_table, one.subject_id, one.event, one.attempt, one.began_at, one.percent,
            one.event = any (rule.events) as is_asked
        from public.firings as one join public.rules as rule on rule.id = one.rule_id
        where one.resolved_at is null and one.event in ('overlong', 'behind', 'absent')
    ), state as (
        select open.id, case
            when run.id is null or not open.is_asked then 'gone'
            when run.attempt <> open.attempt then 'again'
            when run.is_finished then 'ended'
            when open.event = 'behind' and run.total > 0 and run.percentage >= open.percent then 'caught_up'
        end as why
        from open left join public.streams as run on run.id = open.subject_id where open.subject_table = 'streams'
        union all
        select open.id, case
            when run.id is null or not open.is_asked then 'gone'
            when run.attempt <> open.attempt then 'again'
            when run.is_finished then 'ended'
            when open.event = 'behind' and run.progress_percentage >= open.percent then 'caught_up'
        end
        from open left join public.acquisition_scans as run on run.id = open.subject_id
        where open.subject_table = 'acquisition_scans'
        union all
        select open.id, case
            when run.id is null or not open.is_asked then 'gone'
            when run.attempt <> open.attempt then 'again'
            when run.is_finished then 'ended'
        end
        from open left join public.agent_executions as run on run.id = open.subject_id
        where open.subject_table = 'agent_executions'
        union all
        select open.id, case
            when job.id is null or not open.is_asked then 'gone'
            when job.run_count > 0 and job.last_run_at > open.began_at then 'begun'
            when exists (select from public.schedules as plan where plan.job_id = job.id and plan.paused_at is not null)
                then 'gone'
        end
        from open left join public.jobs as job on job.id = open.subject_id where open.subject_table = 'jobs'
    ), ended as (
        select state.* from state where state.why is not null limit max_rows
    ), moved as (
        update public.firings as one set resolved_at = greatest(now_at, one.at), remind_at = null
        from ended where one.id = ended.id
        returning one.*, ended.why
    )
    select coalesce(jsonb_agg(to_jsonb(moved) || jsonb_build_object(
        'row', private.subject_facts(moved.subject_table, moved.subject_id), 'rule', to_jsonb(rule))), '[]')
    into taken
    from moved join public.rules as rule on rule.id = moved.rule_id;
    return taken;
end
$$;

revoke execute on function
    private.replan_rules(), private.start_clock(), private.stop_clock(), private.start_job_clock(),
    private.resume_clock(), private.wake_clock(),
    private.prepare_clocks(integer),
    private.take_clocks(integer, timestamptz, boolean), private.timed_rules(jsonb),
    private.set_clocks(jsonb, timestamptz), private.take_overs(integer, timestamptz) from public;
grant execute on function
    private.prepare_clocks(integer), private.take_clocks(integer, timestamptz, boolean), private.timed_rules(jsonb),
    private.set_clocks(jsonb, timestamptz), private.take_overs(integer, timestamptz) to livewatch_app, service_role;
