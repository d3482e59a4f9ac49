-- Schedules: when a run of a job is expected, by a cron line or an interval, and the watcher that notices its absence.

create table public.schedules (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    job_id uuid not null unique,
    -- Of the job, which the name of a schedule is.
    kind text not null,
    slug text not null,
    -- One of the two: a line of five fields, or the seconds from the beginning of one run to that of the next.
    cron text check (char_length(cron) between 9 and 200),
    every_seconds double precision check (every_seconds between 60 and 31622400),
    zone text not null default 'UTC' check (char_length(zone) between 1 and 60),
    grace_seconds double precision not null check (grace_seconds between 60 and 31622400),
    max_seconds double precision check (max_seconds between 60 and 31622400),
    paused_at timestamptz,
    created_by uuid references auth.users (id) on delete set null,
    -- Whether a person wrote it: reports then leave it as it is.
    is_of_person boolean not null default false,
    -- The next time at which a run is due; the watcher computes it, null while it has not, or while it is paused.
    next_due_at timestamptz,
    -- A run that begins from then on is the one that is due.
    opens_at timestamptz,
    -- When it is late: the due time and the grace.
    late_at timestamptz,
    -- The beginning of the run that was due, until the watcher has computed the next due time.
    met_at timestamptz,
    -- When the watcher looks at it next; null while it is paused.
    check_at timestamptz,
    -- The due time that was missed, while no run has begun since.
    late_since timestamptz,
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    foreign key (job_id, org_id) references public.jobs (id, org_id) on delete cascade,
    check (num_nonnulls(cron, every_seconds) = 1)
);
-- Schedules that are not due cost the watcher nothing.
create index schedules_check_at_idx on public.schedules (check_at) where check_at is not null;
create index schedules_org_id_idx on public.schedules (org_id, created_at desc);
select private.watch_table('schedules', writers => 'database');
create policy "keys see" on public.schedules for select to authenticated
    using (org_id in (select private.ingest_orgs('runs')) or org_id in (select private.ingest_orgs('read')));

-- Returns whether the current user, or the current key, may write schedules of an organisation.
create function private.may_schedule(org uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
    select org in (select private.my_writable_orgs()) or org in (select private.ingest_orgs('runs'))
$$;

-- Creates or changes the schedule of a job, which it creates if there is none. `given` holds `cron` or `every_seconds`,
-- `zone`, `grace_seconds` and `max_seconds`; the app has validated them. With `by_report` a schedule that a person has
-- written stays. Returns the schedule.
create function public.put_schedule(org uuid, kind text, slug text, given jsonb, by_report boolean default false)
returns public.schedules
language plpgsql security definer set search_path = ''
as $$
declare
    author constant uuid := (select auth.uid());
    job uuid;
    earlier public.schedules;
    written public.schedules;
begin
    if not private.may_schedule(org) then
        raise exception 'The schedule of %/% was not written: only operators and admins may write schedules.', kind, slug
            using errcode = 'LW403';
    end if;
    insert into public.jobs as known (org_id, kind, slug, name, run_count, last_run_at)
    values (org, put_schedule.kind, put_schedule.slug, put_schedule.slug, 0, clock_timestamp())
    on conflict on constraint jobs_org_id_kind_slug_key do nothing;
    select known.id into strict job from public.jobs as known
    where known.org_id = org and known.kind = put_schedule.kind and known.slug = put_schedule.slug;
    select * into earlier from public.schedules as one where one.job_id = job for update;
    if found and by_report and (earlier.is_of_person or (
        earlier.cron is not distinct from given ->> 'cron'
        and earlier.every_seconds is not distinct from (given ->> 'every_seconds')::double precision
        and earlier.zone = coalesce(given ->> 'zone', 'UTC')
        and earlier.grace_seconds = (given ->> 'grace_seconds')::double precision
        and earlier.max_seconds is not distinct from (given ->> 'max_seconds')::double precision)) then
        return earlier;
    end if;
    insert into public.schedules as one
        (org_id, job_id, kind, slug, cron, every_seconds, zone, grace_seconds, max_seconds, created_by, is_of_person,
         check_at)
    values (
        org, job, put_schedule.kind, put_schedule.slug, given ->> 'cron',
        (given ->> 'every_seconds')::double precision, coalesce(given ->> 'zone', 'UTC'),
        (given ->> 'grace_seconds')::double precision, (given ->> 'max_seconds')::double precision, author,
        not by_report, clock_timestamp())
    on conflict (job_id) do update set
        cron = excluded.cron, every_seconds = excluded.every_seconds, zone = excluded.zone,
        grace_seconds = excluded.grace_seconds, max_seconds = excluded.max_seconds,
        is_of_person = one.is_of_person or excluded.is_of_person, next_due_at = null, opens_at = null, late_at = null,
        met_at = null, late_since = null,
        check_at = case when one.paused_at is null then excluded.check_at end
    returning * into written;
    return written;
end
$$;

-- Pauses or resumes the schedule of a job; returns whether there is one.
create function public.pause_schedule(org uuid, kind text, slug text, is_paused boolean) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
    if not private.may_schedule(org) then
        raise exception 'The schedule of %/% was not changed: only operators and admins may write schedules.', kind, slug
            using errcode = 'LW403';
    end if;
    update public.schedules as one set
        paused_at = case when is_paused then coalesce(one.paused_at, clock_timestamp()) end,
        is_of_person = true, next_due_at = null, opens_at = null, late_at = null, met_at = null, late_since = null,
        check_at = case when not is_paused then clock_timestamp() end
    where one.org_id = org and one.kind = pause_schedule.kind and one.slug = pause_schedule.slug
        and (one.paused_at is null) = is_paused;
    return exists (
        select from public.schedules as one
        where one.org_id = org and one.kind = pause_schedule.kind and one.slug = pause_schedule.slug);
end
$$;

-- Removes the schedule of a job; returns whether there was one.
create function public.remove_schedule(org uuid, kind text, slug text) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
    if not private.may_schedule(org) then
        raise exception 'The schedule of %/% was not removed: only operators and admins may write schedules.', kind, slug
            using errcode = 'LW403';
    end if;
    delete from public.schedules as one
    where one.org_id = org and one.kind = remove_schedule.kind and one.slug = remove_schedule.slug;
    return found;
end
$$;

-- A schedule that is changed, paused or removed accuses nobody of what it said before.
create function private.forget_incidents() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update public.incidents set recovered_at = private.watch_time(), recovery = 'changed'
    where subject_id = old.job_id and kind = 'late' and recovered_at is null;
    if exists (select from public.incidents
               where job_id = old.job_id and kind = 'overdue' and recovered_at is null) then
        execute format(
            'update public.%I set incidents = array_remove(incidents, ''overdue'')
             where job_id = $1 and not is_finished and ''overdue'' = any (incidents)', private.run_table(old.kind))
            using old.job_id;
    end if;
    return null;
end
$$;
create trigger forget_incidents after update on public.schedules
    for each row when (
        new.cron is distinct from old.cron or new.every_seconds is distinct from old.every_seconds
        or new.zone <> old.zone or new.grace_seconds <> old.grace_seconds
        or new.max_seconds is distinct from old.max_seconds or new.paused_at is distinct from old.paused_at
    ) execute function private.forget_incidents();
create trigger forget_incidents_of_removed after delete on public.schedules
    for each row execute function private.forget_incidents();

-- A run that begins is the one that is due, and ends the lateness of its job. A retry continues its run and is neither.
create function private.meet_schedule() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    began constant timestamptz := coalesce((to_jsonb(new) ->> 'started_at')::timestamptz, new.created_at);
    met public.schedules;
begin
    update public.schedules as one set
        met_at = case when began >= one.opens_at then greatest(one.met_at, began) else one.met_at end,
        check_at = case when began >= one.opens_at then least(one.check_at, private.watch_time()) else one.check_at end,
        late_since = null
    where one.job_id = new.job_id and one.paused_at is null and (began >= one.opens_at or one.late_since is not null)
    returning * into met;
    if met.id is not null then
        update public.incidents as open set
            recovered_at = greatest(private.watch_time(), open.began_at), recovery = 'reported'
        where open.subject_id = new.job_id and open.kind = 'late' and open.recovered_at is null;
    end if;
    return null;
end
$$;
create trigger meet_schedule after insert on public.streams
    for each row when (new.job_id is not null) execute function private.meet_schedule();
create trigger meet_schedule after insert on public.acquisition_scans
    for each row when (new.job_id is not null) execute function private.meet_schedule();
create trigger meet_schedule after insert on public.agent_executions
    for each row when (new.job_id is not null) execute function private.meet_schedule();

-- Finds the incidents of at most `max_rows` runs of a table; returns their number.
create function private.find_run_incidents(
    table_name text, status text, active text[], stalls_at text, began text, judges_duration boolean, now_at timestamptz,
    max_rows integer
) returns integer
language plpgsql set search_path = ''
as $$
declare
    found_rows integer;
begin
    execute format(
        'with found as (
             select one.id, array_remove(array[
                 case when greatest(one.heartbeat_at, one.reportable_since)
                     + make_interval(secs => 3 * one.heartbeat_interval) <= $1 then ''unreachable''
                     when %3$s <= $1 then ''stalled'' end,
                 case when $2 and %4$s + make_interval(secs => private.slow_after(one.usual_seconds)) <= $1
                     then ''slow'' end,
                 case when $2 and %4$s + make_interval(secs => plan.max_seconds) <= $1 then ''overdue'' end
             ], null) as kinds
             from public.%1$I as one
             left join public.schedules as plan on plan.job_id = one.job_id and plan.paused_at is null
                 and plan.max_seconds is not null
             where not one.is_finished and one.%2$I = any ($3)
         ), fresh as (
             select one.id, found.kinds from found join public.%1$I as one on one.id = found.id
             where not found.kinds <@ one.incidents order by one.id limit $4 for update of one skip locked
         )
         update public.%1$I as one set incidents = array(
             select distinct kind from unnest(one.incidents || fresh.kinds) as kind order by kind)
         from fresh where fresh.id = one.id',
        table_name, status, stalls_at, began) using now_at, judges_duration, active, max_rows;
    get diagnostics found_rows = row_count;
    return found_rows;
end
$$;

-- Looks once for what time alone has changed, as the only process that does; null while another one looks.
--
--   at        The time by which it judges; that of the database by default, in which case it also notes that the app
--             is there and takes an absence into account.
--   max_rows  Most runs of each kind, and most schedules, to change.
--
-- Returns {"at", "found", "late", "schedules"}: the time, the numbers of runs and of schedules that were found, and the
-- schedules whose next due time is to be computed, for `private.plan_schedules` in the same transaction.
create function private.watch(at timestamptz default null, max_rows integer default 500) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    now_at constant timestamptz := coalesce(at, clock_timestamp());
    judges_duration boolean;
    found_runs integer := 0;
    late integer;
    due jsonb;
    runs record;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('livewatch watcher', 0)) then
        return null;
    end if;
    if at is null then
        perform private.mark_present();
    end if;
    -- What a program had to tell during an absence may arrive only now.
    select coalesce(max(returned_at) <= now_at - interval '60 s', true) into judges_duration from private.app_presence;
    perform set_config('livewatch.watch_time', now_at::text, true);
    for runs in select * from (values
        ('streams', 'goal_status', array['in_progress', 'on_track', 'at_risk'],
         'case when one.total = 0 or one.completed < one.total then ' || private.stall_deadline_sql() || ' end',
         'coalesce(one.attempt_started_at, one.created_at)'),
        ('acquisition_scans', 'status', array['scanning', 'analyzing'], private.stall_deadline_sql(),
         'coalesce(one.attempt_started_at, one.started_at)'),
        ('agent_executions', 'status', array['running'], 'null::timestamptz',
         'coalesce(one.attempt_started_at, one.started_at)')
    ) as kinds (name, status, active, stalls_at, began) loop
        found_runs := found_runs + private.find_run_incidents(
            runs.name, runs.status, runs.active, runs.stalls_at, runs.began, judges_duration, now_at, max_rows);
    end loop;
    with due_now as (
        select one.* from public.schedules as one
        where one.check_at <= now_at and (judges_duration or one.met_at is not null or one.next_due_at is null)
        -- Not to wait for a report that holds a schedule and may want a run that this has changed.
        order by one.check_at limit max_rows for update skip locked
    ), missed as (
        insert into public.incidents
            (org_id, kind, subject_table, subject_id, subject_name, job_id, began_at, created_at)
        select one.org_id, 'late', 'jobs', one.job_id, job.name, one.job_id, one.next_due_at, now_at
        from due_now as one join public.jobs as job on job.id = one.job_id
        where one.met_at is null and one.late_at <= now_at
        on conflict (subject_id, kind) where recovered_at is null do nothing
        returning subject_id
    )
    select (select count(*) from missed), coalesce(jsonb_agg(jsonb_build_object(
        'id', one.id, 'cron', one.cron, 'every_seconds', one.every_seconds, 'zone', one.zone,
        'grace_seconds', one.grace_seconds, 'next_due_at', one.next_due_at,
        'met_at', coalesce(one.met_at, case when one.next_due_at is null and job.run_count > 0 then job.last_run_at end),
        'is_late', one.met_at is null and one.late_at <= now_at)), '[]')
    into late, due
    from due_now as one join public.jobs as job on job.id = one.job_id;
    perform set_config('livewatch.watch_time', '', true);
    return jsonb_build_object('at', now_at, 'found', found_runs, 'late', late, 'schedules', due);
end
$$;

-- Stores the computed times of schedules: a list of {"id", "next_due_at", "opens_at", "late_at", "late_since"}. Those
-- that never fire again have a null `next_due_at`.
create function private.plan_schedules(plans jsonb) returns void
language sql security definer set search_path = ''
as $$
    update public.schedules as one set
        next_due_at = plan.next_due_at, opens_at = plan.opens_at, late_at = plan.late_at, met_at = null,
        check_at = plan.late_at, late_since = coalesce(one.late_since, plan.late_since)
    from jsonb_to_recordset(plans) as plan (
        id uuid, next_due_at timestamptz, opens_at timestamptz, late_at timestamptz, late_since timestamptz)
    where one.id = plan.id
$$;

-- A report may say when the next run of its job is expected.
create or replace function private.upsert_run(org uuid, kind text, slug text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    begins constant boolean := coalesce((body ->> 'begins')::boolean, true);
    report private.run_report;
    earlier private.reported_runs;
    run_id uuid;
    is_new boolean := false;
begin
    for attempt in 1..3 loop
        report := private.read_report(org, kind, slug, body);
        if body ?| array['attempt', 'program'] then
            earlier := private.earlier_run(report);
            if earlier.id is not null then
                perform private.make_way(report, earlier);
            end if;
        end if;
        run_id := private.update_run(report);
        if run_id is null then
            earlier := private.earlier_run(report);
            if earlier.id is null and begins then
                run_id := private.insert_run(report);
                is_new := run_id is not null;
            elsif earlier.id is null then
                perform private.raise_api_error('404', format(
                    'There is no %s/%s to continue: report its beginning first.', kind, slug));
            elsif earlier.is_finished and not private.make_way(report, earlier) then
                perform private.raise_finished(kind, slug, earlier.status);
            end if;
        end if;
        if run_id is not null then
            if body ? 'reporter' then
                perform private.join_run(org, run_id, body ->> 'reporter');
            end if;
            if body ? 'environment' then
                perform private.store_environment(org, kind, run_id, body -> 'environment');
            end if;
            if body ? 'schedule' then
                perform public.put_schedule(org, kind, private.job_slug(slug), body -> 'schedule', true);
            end if;
            return jsonb_build_object('status', case when is_new then 201 else 200 end, 'id', run_id);
        end if;
    end loop;
    raise exception '%/% was changed by others during 3 attempts: report it again.', kind, slug using errcode = '40001';
end
$$;

-- Applies a ping: what a line of `curl` tells of a job's run. `signal` is start, success, fail or log; `lines` are kept in
-- the run's log.
--   start     begins a run; one that goes on under the same address is over without an end
--   success, fail   end the run that goes on, or are a run of their own
--   log       adds to the run that goes on or was the last, or to a run that it begins
create function private.ping(org uuid, slug text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    signal constant text := body ->> 'signal';
    status constant text := case signal when 'success' then 'completed' when 'fail' then 'blocked' else 'in_progress' end;
    earlier private.reported_runs;
    answer jsonb;
begin
    earlier := private.earlier_run(row(org, 'streams', slug, '{}', null, null, null, null)::private.run_report);
    if signal = 'start' and earlier.id is not null and not earlier.is_finished then
        perform private.end_lost_run('streams', earlier.id);
        if not private.names_run(slug) then
            perform private.retire_run(org, 'streams', slug, earlier.number);
        end if;
        earlier := null;
    end if;
    if signal = 'log' and earlier.id is not null then
        answer := jsonb_build_object('status', 200, 'id', earlier.id);
    elsif signal in ('start', 'log') or earlier.id is null or earlier.is_finished then
        answer := private.upsert_run(org, 'streams', slug, '{}');
    else
        answer := jsonb_build_object('status', 200, 'id', earlier.id);
    end if;
    if jsonb_array_length(coalesce(body -> 'lines', '[]')) > 0 then
        perform private.append_log(
            org, jsonb_build_object('run', 'streams/' || slug, 'lines', body -> 'lines'), interval '0');
    end if;
    if signal in ('success', 'fail') then
        perform private.finish_run(org, 'streams', slug, jsonb_strip_nulls(
            jsonb_build_object('status', status, 'error', body -> 'error')));
    end if;
    return answer;
end
$$;

revoke execute on function
    public.put_schedule(uuid, text, text, jsonb, boolean), public.pause_schedule(uuid, text, text, boolean),
    public.remove_schedule(uuid, text, text) from public, anon;
grant execute on function
    public.put_schedule(uuid, text, text, jsonb, boolean), public.pause_schedule(uuid, text, text, boolean),
    public.remove_schedule(uuid, text, text) to authenticated, service_role;
revoke execute on function
    private.may_schedule(uuid), private.forget_incidents(), private.meet_schedule(),
    private.find_run_incidents(text, text, text[], text, text, boolean, timestamptz, integer),
    private.watch(timestamptz, integer), private.plan_schedules(jsonb), private.ping(uuid, text, jsonb) from public;
grant execute on function private.ping(uuid, text, jsonb) to authenticated, service_role;
-- What no user may call.
grant execute on function private.watch(timestamptz, integer), private.plan_schedules(jsonb)
    to livewatch_app, service_role;
