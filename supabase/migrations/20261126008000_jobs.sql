-- Jobs and runs. A job is what has a name and repeats; a run is one execution of it, with a number.
--
-- A run's slug is its address: `nightly` is the job's current run that reports without a name of its own, and
-- `nightly@<key>` the run that its program named by a key. When a report begins the next run of `nightly`, the finished
-- one becomes `nightly@<number>`, so that every run keeps one address and one row.

create table public.jobs (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    kind text not null check (kind in ('streams', 'scans', 'agents')),
    slug text not null check (slug ~ '^[A-Za-z0-9._:-]{1,120}$'),
    name text not null check (char_length(btrim(name)) between 1 and 200),
    -- Number of the newest run; a run that was deleted, or that two reports began at once, leaves a gap.
    run_count integer not null default 0,
    last_run_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    unique (org_id, kind, slug),
    unique (id, org_id)
);
create index jobs_last_run_at_idx on public.jobs (org_id, last_run_at desc);
alter table public.jobs enable row level security;
revoke all on public.jobs from anon, authenticated;
grant select on public.jobs to authenticated;
grant all on public.jobs to service_role;
create policy "members see" on public.jobs for select to authenticated using (org_id in (select private.my_orgs()));
create policy "keys see" on public.jobs for select to authenticated
    using (org_id in (select private.ingest_orgs('runs')) or org_id in (select private.ingest_orgs('read')));

-- Returns the slug of the job that an address belongs to. Earlier versions of the package `livewatch` named each run by
-- the job's name and twelve digits.
create function private.job_slug(address text) returns text
language sql immutable set search_path = ''
as $$
    select regexp_replace(split_part(address, '@', 1), '(.)-[0-9a-f]{12}$', '\1')
$$;

-- Returns whether an address names one run, rather than the current one of a job.
create function private.names_run(address text) returns boolean
language sql immutable set search_path = ''
as $$
    select address like '%@%' or private.job_slug(address) <> address
$$;

-- Returns the median duration in seconds of the completed runs among a job's last 50; null for fewer than three.
create function private.usual_seconds(kind text, job uuid) returns double precision
language plpgsql stable set search_path = ''
as $$
declare
    seconds double precision;
begin
    execute format(
        'select percentile_cont(0.5) within group (order by extract(epoch from ended - began))
         from (
             select %s as status, %s as began, %s as ended from public.%I where job_id = $1
             order by number desc limit 50
         ) as run
         where status = ''completed'' and ended >= began having count(*) >= 3',
        case kind when 'streams' then 'goal_status' else 'status' end,
        case kind when 'streams' then 'coalesce(attempt_started_at, created_at)' else 'started_at' end,
        case kind when 'streams' then 'finished_at' else 'completed_at' end, private.run_table(kind))
        into seconds using job;
    return seconds;
end
$$;

-- Makes a run the newest of its job, which the first one creates. A run that people made has no slug and no job.
-- The argument is the kind of run.
create function private.number_run() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    begins_at constant timestamptz := coalesce(new.created_at, now());
    title text;
    is_taken boolean;
begin
    new.job_id := null;
    new.number := null;
    if new.slug is null then
        return new;
    end if;
    -- Otherwise the statement ends in a conflict, and no number is to be spent on it.
    execute format('select exists (select from public.%I where org_id = $1 and slug = $2)', tg_table_name)
        into is_taken using new.org_id, new.slug;
    if is_taken then
        return new;
    end if;
    title := coalesce(to_jsonb(new) ->> 'name', to_jsonb(new) ->> 'agent_name');
    if title = new.slug then
        title := private.job_slug(new.slug);
    end if;
    insert into public.jobs as job (org_id, kind, slug, name, run_count, last_run_at)
    values (new.org_id, tg_argv[0], private.job_slug(new.slug), title, 1, begins_at)
    on conflict (org_id, kind, slug) do update set
        run_count = job.run_count + 1, name = excluded.name, last_run_at = greatest(job.last_run_at, begins_at)
    returning job.id, job.run_count into new.job_id, new.number;
    new.usual_seconds := case when new.number > 3 then private.usual_seconds(tg_argv[0], new.job_id) end;
    return new;
end
$$;

-- Adds jobs, numbers and attempts to a monitored table of runs, also to those that there are.
create function private.number_table(table_name text, kind text, title text, started text) returns void
language plpgsql set search_path = ''
as $$
begin
    execute format(
        'alter table public.%1$I
             drop constraint %2$I,
             add constraint %2$I check (slug ~ ''^[A-Za-z0-9._:-]{1,120}(@[A-Za-z0-9._:-]{1,64})?$''),
             add column job_id uuid,
             add column number integer check (number > 0),
             -- How long runs of the job usually take, from those before it.
             add column usual_seconds double precision,
             -- The current try of the run, and the earlier ones: objects of `number`, `status`, `error`,
             -- `started_at` and `finished_at`.
             add column attempt integer not null default 1 check (attempt between 1 and 1000),
             add column attempt_started_at timestamptz,
             add column attempts jsonb not null default ''[]''
                 check (jsonb_typeof(attempts) = ''array'' and pg_column_size(attempts) <= 65536),
             add constraint %3$I foreign key (job_id, org_id) references public.jobs (id, org_id)
                 on delete set null (job_id)',
        table_name, table_name || '_slug_check', table_name || '_job_fkey');
    execute format('alter table public.%I disable trigger user', table_name);
    execute format(
        'insert into public.jobs (org_id, kind, slug, name, run_count, last_run_at, created_at)
         select org_id, %2$L, private.job_slug(slug), (array_agg(%3$I order by %4$s desc))[1], count(*), max(%4$s),
             min(%4$s)
         from public.%1$I where slug is not null group by org_id, private.job_slug(slug)',
        table_name, kind, title, started);
    execute format(
        'update public.%1$I as run set job_id = job.id, number = numbered.number
         from public.jobs as job, (
             select id, row_number() over (partition by org_id, private.job_slug(slug) order by %3$s, id) as number
             from public.%1$I where slug is not null
         ) as numbered
         where numbered.id = run.id and job.org_id = run.org_id and job.kind = %2$L
             and job.slug = private.job_slug(run.slug)', table_name, kind, started);
    execute format('alter table public.%I enable trigger user', table_name);
    execute format('create index %I on public.%I (job_id, number desc)', table_name || '_job_idx', table_name);
    execute format(
        'create trigger number_run before insert on public.%I for each row execute function private.number_run(%L)',
        table_name, kind);
end
$$;
select private.number_table('streams', 'streams', 'name', 'created_at');
select private.number_table('acquisition_scans', 'scans', 'name', 'coalesce(started_at, created_at)');
select private.number_table('agent_executions', 'agents', 'agent_name', 'coalesce(started_at, created_at)');

create or replace view private.reported_runs with (security_invoker = true) as
    select 'streams' as kind, org_id, slug, id, goal_status as status, is_finished, error, null as output_summary,
        number, attempt, finished_at, heartbeat_at, heartbeat_interval, reportable_since
    from public.streams
    union all
    select 'scans', org_id, slug, id, status, is_finished, error, null, number, attempt, completed_at, heartbeat_at,
        heartbeat_interval, reportable_since
    from public.acquisition_scans
    union all
    select 'agents', org_id, slug, id, status, is_finished, error, output_summary, number, attempt, completed_at,
        heartbeat_at, heartbeat_interval, reportable_since
    from public.agent_executions;

-- A finished scan or agent execution changes by its next attempt alone: a late report must neither revive it nor change
-- its times.
create or replace function private.keep_finished() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    fixed constant text[] := array[
        'status', 'started_at', 'completed_at', 'duration_ms', 'progress_percentage', 'current_step'];
begin
    if not old.is_finished or new.attempt > old.attempt then
        return new;
    end if;
    if exists (
        select from unnest(fixed) as field (name)
        where to_jsonb(old) -> field.name is distinct from to_jsonb(new) -> field.name
    ) then
        raise exception 'The run % has finished (%) and cannot be changed: start a new run.', old.id, old.status
            using errcode = '55000';
    end if;
    return new;
end
$$;

create or replace function private.raise_finished(kind text, slug text, status text) returns void
language plpgsql set search_path = ''
as $$
begin
    perform private.raise_api_error('409', format(
        '%s/%s has finished (%s) and cannot be changed: report the next run under %s, or under %s@ and a new key.',
        kind, slug, status, private.job_slug(slug), private.job_slug(slug)));
end
$$;

-- Returns the address of a run that is named by its number or its id, as `nightly@7`; any other address as it is.
create function private.address_of(org uuid, kind text, slug text) returns text
language plpgsql stable set search_path = ''
as $$
declare
    key constant text := split_part(slug, '@', 2);
    address text;
begin
    if key !~ '^([0-9]{1,9}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$' then
        return slug;
    end if;
    -- A program may have named a run by such a key itself.
    execute format(
        'select run.slug from public.%I as run join public.jobs as job on job.id = run.job_id
         where job.org_id = $1 and job.kind = $2 and job.slug = $3 and (run.slug = $4 or %s)
         order by run.slug = $4 desc limit 1', private.run_table(kind),
        case when key like '%-%' then 'run.id = $5::uuid' else 'run.number = $5::integer' end)
        into address using org, kind, private.job_slug(slug), slug, key;
    return coalesce(address, slug);
end
$$;

-- Frees the address of a finished run for the next one of its job: `nightly` becomes `nightly@7`.
create function private.retire_run(org uuid, kind text, slug text, number integer) returns void
language plpgsql set search_path = ''
as $$
declare
    address text := slug || '@' || number;
begin
    -- A program may have named another run by this number.
    while exists (
        select from private.reported_runs as run
        where run.kind = retire_run.kind and run.org_id = org and run.slug = address
    ) loop
        address := address || '.1';
    end loop;
    execute format('update public.%I as run set slug = $3 where run.org_id = $1 and run.slug = $2',
                   private.run_table(kind)) using org, slug, address;
end
$$;

-- Forgets the processes of a run, which a later attempt does not wait for.
create function private.forget_reporters(org uuid, run uuid) returns void
language sql security definer set search_path = ''
as $$
    delete from private.run_reporters where run_id = run and org in (select private.ingest_orgs('runs'))
$$;

-- Begins a later attempt of a run: what the earlier one came to is kept, and counting starts again.
create function private.begin_attempt(kind text, run_id uuid, number integer) returns void
language plpgsql set search_path = ''
as $$
declare
    now_at constant timestamptz := private.event_time();
    -- Of more attempts the newest are kept.
    kept constant integer := 20;
begin
    if kind = 'streams' then
        update public.streams as run set
            attempts = private.last_elements(run.attempts || jsonb_build_object(
                'number', run.attempt, 'status', run.goal_status, 'error', left(run.error, 1000),
                'started_at', coalesce(run.attempt_started_at, run.created_at),
                'finished_at', coalesce(run.finished_at, run.heartbeat_at, run.updated_at)), kept),
            attempt = begin_attempt.number, attempt_started_at = now_at, goal_status = 'in_progress',
            finished_at = null, error = null, completed = 0, bars = '[]', bar_count = 0
        where run.id = run_id;
    elsif kind = 'scans' then
        update public.acquisition_scans as run set
            attempts = private.last_elements(run.attempts || jsonb_build_object(
                'number', run.attempt, 'status', run.status, 'error', left(run.error, 1000),
                'started_at', coalesce(run.started_at, run.created_at),
                'finished_at', coalesce(run.completed_at, run.heartbeat_at, run.updated_at)), kept),
            attempt = begin_attempt.number, attempt_started_at = now_at, status = 'scanning', started_at = now_at,
            completed_at = null, error = null, progress_percentage = 0, current_step = null, targets_analyzed = 0
        where run.id = run_id;
    else
        update public.agent_executions as run set
            attempts = private.last_elements(run.attempts || jsonb_build_object(
                'number', run.attempt, 'status', run.status, 'error', left(run.error, 1000),
                'started_at', coalesce(run.started_at, run.created_at),
                'finished_at', coalesce(run.completed_at, run.heartbeat_at, run.updated_at)), kept),
            attempt = begin_attempt.number, attempt_started_at = now_at, status = 'running', started_at = now_at,
            completed_at = null, duration_ms = null, error = null, output_summary = null
        where run.id = run_id;
    end if;
end
$$;

-- Returns an array's last elements.
create function private.last_elements(list jsonb, count integer) returns jsonb
language sql immutable set search_path = ''
as $$
    select coalesce(jsonb_agg(element order by place), '[]')
    from jsonb_array_elements(list) with ordinality as each (element, place)
    where place > jsonb_array_length(list) - count
$$;

-- Ends a run whose program went away without an end, before its next one begins.
create function private.end_lost_run(kind text, run_id uuid) returns void
language plpgsql set search_path = ''
as $$
declare
    reason constant text := 'The program went away without an end: its next run has begun.';
begin
    if kind = 'streams' then
        update public.streams as run set
            goal_status = 'blocked', error = coalesce(run.error, reason),
            finished_at = greatest(run.heartbeat_at, run.created_at)
        where run.id = run_id and not run.is_finished;
    elsif kind = 'scans' then
        update public.acquisition_scans as run set
            status = 'failed', error = coalesce(run.error, reason),
            completed_at = greatest(run.heartbeat_at, run.started_at)
        where run.id = run_id and not run.is_finished;
    else
        update public.agent_executions as run set
            status = 'failed', error = coalesce(run.error, reason),
            completed_at = greatest(run.heartbeat_at, run.started_at),
            duration_ms = extract(epoch from greatest(run.heartbeat_at, run.started_at) - run.started_at) * 1000
        where run.id = run_id and not run.is_finished;
    end if;
end
$$;

-- Returns whether a process has joined a run and has not left it.
create function private.has_reporter(org uuid, run uuid, name text) returns boolean
language sql stable security definer set search_path = ''
as $$
    select exists (
        select from private.run_reporters
        where run_id = run and reporter = name and left_as is null and org in (select private.ingest_orgs('runs')))
$$;

-- Makes the address of a report free for the run or the attempt that the report begins; returns whether it did.
--   a run that goes on     is ended if its program fell silent and another one (`program`) begins
--   a later `attempt`      begins within the run
--   a plain slug           becomes free if its run ended before the report was made
-- A report with `begins` false only continues a run: programs send it with what follows their first report.
create function private.make_way(report private.run_report, earlier private.reported_runs) returns boolean
language plpgsql set search_path = ''
as $$
declare
    attempt constant integer := (report.body ->> 'attempt')::integer;
    is_lost constant boolean := not earlier.is_finished and report.body ? 'program'
        and greatest(earlier.heartbeat_at, earlier.reportable_since)
            + make_interval(secs => 3 * earlier.heartbeat_interval) < report.reported_at;
begin
    if attempt < earlier.attempt then
        perform private.raise_api_error('409', format(
            '%s/%s is in attempt %s: attempt %s is over and cannot be changed.',
            report.kind, report.slug, earlier.attempt, attempt), 'attempt');
    elsif attempt > earlier.attempt then
        perform private.forget_reporters(report.org, earlier.id);
        perform private.begin_attempt(report.kind, earlier.id, attempt);
        return true;
    end if;
    if private.names_run(report.slug) then
        return false;
    end if;
    if is_lost then
        perform private.end_lost_run(report.kind, earlier.id);
    elsif not earlier.is_finished or report.reported_at <= earlier.finished_at
        or coalesce((report.body ->> 'begins')::boolean, true) is false
        -- A process that the run was closed for goes on reporting it.
        or (not report.body ? 'program'
            and private.has_reporter(report.org, earlier.id, report.body ->> 'reporter')) then
        return false;
    end if;
    perform private.retire_run(report.org, report.kind, report.slug, earlier.number);
    return true;
end
$$;

-- Returns the run that has the address of a report; nulls if there is none.
create function private.earlier_run(report private.run_report) returns private.reported_runs
language sql stable set search_path = ''
as $$
    select run from private.reported_runs as run
    where run.kind = report.kind and run.org_id = report.org and run.slug = report.slug
$$;

-- Updates a run, or creates it at its first report; a report after its end begins the next run of its job. Tries again
-- when another report comes in between.
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
            return jsonb_build_object('status', case when is_new then 201 else 200 end, 'id', run_id);
        end if;
    end loop;
    raise exception '%/% was changed by others during 3 attempts: report it again.', kind, slug using errcode = '40001';
end
$$;

-- Runs one operation in a savepoint; returns its answer or its error.
create or replace function private.ingest_one(org uuid, operation jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    field text;
    constraint_name text;
begin
    perform private.set_event_time(operation);
    if operation ->> 'slug' like '%@%' then
        operation := jsonb_set(operation, '{slug}', to_jsonb(
            private.address_of(org, operation ->> 'target', operation ->> 'slug')));
    end if;
    return private.ingest_once(org, operation);
exception
    when sqlstate 'LW404' or sqlstate 'LW409' or sqlstate 'LW422' or sqlstate 'LW4IC'
        or check_violation or data_exception or object_not_in_prerequisite_state then
        get stacked diagnostics field = pg_exception_detail, constraint_name = constraint_name;
        return jsonb_build_object(
            'refused', sqlstate, 'message', sqlerrm, 'constraint', nullif(constraint_name, ''),
            'field', nullif(case when sqlstate like 'LW%' then field end, ''));
end
$$;

-- Makes batches that write the same runs, or runs of the same jobs, wait for each other, so that they cannot deadlock
-- on rows. The jobs share 64 locks, taken in order: few enough for any server's lock table, and other batches pass.
create or replace function private.lock_runs(org uuid, runs text[]) returns void
language plpgsql set search_path = ''
as $$
declare
    lock integer;
begin
    for lock in select distinct hashtext(private.job_slug(run)) & 63 from unnest(runs) as run order by 1 loop
        perform pg_advisory_xact_lock(hashtextextended(org::text, lock));
    end loop;
end
$$;

-- Deletes what is older than its organisation keeps it; of jobs those that have no runs any more.
create or replace function private.delete_expired(max_rows integer default 500) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    kind record;
    counts jsonb := '{}';
    deleted integer;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('livewatch retention', 0)) then
        return counts;
    end if;
    for kind in select * from (values
        ('agent_executions', 'completed_at', 'runs_days', 90, 'true'),
        ('acquisition_scans', 'completed_at', 'runs_days', 90, 'true'),
        ('streams', 'finished_at', 'runs_days', 90,
         'not exists (select from public.agent_executions as run where run.stream_id = one.id)
          and not exists (select from public.acquisition_scans as run where run.stream_id = one.id)'),
        ('jobs', 'last_run_at', 'runs_days', 90,
         'not exists (select from public.streams as run where run.job_id = one.id)
          and not exists (select from public.acquisition_scans as run where run.job_id = one.id)
          and not exists (select from public.agent_executions as run where run.job_id = one.id)'),
        ('signal_alerts', 'detected_at', 'alerts_days', 90, 'true'),
        ('notifications', 'created_at', 'alerts_days', 90, 'true'),
        ('activities', 'created_at', 'events_days', 30, 'true'),
        ('log_lines', 'at', 'events_days', 30, 'true'),
        ('audit_events', 'at', 'audit_days', 365, 'true')
    ) as kinds (name, ended_at, days, default_days, condition) loop
        execute format(
            'with expired as (
                 select one.id from public.%1$I as one left join public.retention as chosen using (org_id)
                 where one.%2$I < now() - make_interval(
                         days => case when chosen.org_id is null then %4$s else chosen.%3$I end)
                     and %5$s
                 limit %6$s
             )
             delete from public.%1$I as one using expired where one.id = expired.id',
            kind.name, kind.ended_at, kind.days, kind.default_days, kind.condition, max_rows);
        get diagnostics deleted = row_count;
        counts := counts || jsonb_build_object(kind.name, deleted);
    end loop;
    return counts;
end
$$;

revoke execute on function
    private.job_slug(text), private.names_run(text), private.usual_seconds(text, uuid), private.number_run(),
    private.number_table(text, text, text, text),
    private.address_of(uuid, text, text), private.retire_run(uuid, text, text, integer),
    private.begin_attempt(text, uuid, integer), private.last_elements(jsonb, integer),
    private.end_lost_run(text, uuid), private.has_reporter(uuid, uuid, text),
    private.forget_reporters(uuid, uuid), private.make_way(private.run_report, private.reported_runs),
    private.earlier_run(private.run_report) from public;
grant execute on function
    private.job_slug(text), private.names_run(text), private.address_of(uuid, text, text),
    private.retire_run(uuid, text, text, integer),
    private.begin_attempt(text, uuid, integer), private.last_elements(jsonb, integer),
    private.end_lost_run(text, uuid), private.has_reporter(uuid, uuid, text),
    private.forget_reporters(uuid, uuid), private.make_way(private.run_report, private.reported_runs),
    private.earlier_run(private.run_report) to authenticated, service_role;
