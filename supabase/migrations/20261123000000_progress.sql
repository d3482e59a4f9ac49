-- How fast progress goes, its history, and that what has finished stays as it was.

-- `rate` is in units of progress per second (streams: `completed`; scans: percentage points), `rate_window` the seconds
-- of history that it rests on, `progress_interval` the usual seconds between two steps. Only the trigger sets them.
alter table public.streams
    add column rate double precision,
    add column rate_window double precision,
    add column progress_interval double precision;
alter table public.acquisition_scans
    add column last_progress_at timestamptz,
    add column rate double precision,
    add column rate_window double precision,
    add column progress_interval double precision;

-- What was done at times, for charts. The gap between two points grows with the age of the run, from a second to a
-- minute, so that a run has some 500 points after ten minutes and 2,500 after eight hours.
create table public.progress_points (
    subject_id uuid not null,
    at timestamptz not null,
    org_id uuid not null references public.organizations (id) on delete cascade,
    done double precision not null,
    whole double precision not null,
    primary key (subject_id, at)
);
create index progress_points_org_id_idx on public.progress_points (org_id, at);
alter table public.progress_points enable row level security;
revoke all on public.progress_points from anon, authenticated;
grant select on public.progress_points to authenticated;
grant all on public.progress_points to service_role;
create policy "members see" on public.progress_points
    for select to authenticated using (org_id in (select private.my_orgs()));

-- The rate is what was done by the seconds that it took, both weighed down exponentially with age: over a minute, or
-- over five steps where steps are rarer. The ratio of the two sums needs no start-up correction, as tqdm's does not.
create or replace function private.stamp_progress() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
    began timestamptz;
    gained double precision;
    seconds double precision;
    kept double precision;
begin
    if tg_table_name = 'streams' then
        gained := new.completed - case when tg_op = 'UPDATE' then old.completed else 0 end;
    else
        gained := new.progress_percentage - case when tg_op = 'UPDATE' then old.progress_percentage else 0 end;
    end if;
    if tg_op = 'INSERT' then
        new.rate := null;
        new.rate_window := null;
        new.progress_interval := null;
        if gained > 0 then
            new.last_progress_at := coalesce(new.last_progress_at, now_at);
        end if;
        return new;
    end if;
    new.rate := old.rate;
    new.rate_window := old.rate_window;
    new.progress_interval := old.progress_interval;
    if gained = 0 then
        return new;
    end if;
    new.last_progress_at := now_at;
    began := old.last_progress_at;
    if began is null and tg_table_name = 'acquisition_scans' then
        began := new.started_at;
    end if;
    seconds := extract(epoch from now_at - began);
    if gained < 0 or seconds is null or seconds <= 0 then
        -- Counting began anew, or just now.
        new.rate := null;
        new.rate_window := null;
        new.progress_interval := null;
        return new;
    end if;
    kept := exp(-seconds / greatest(60, 5 * coalesce(old.progress_interval, 0)));
    new.rate_window := coalesce(old.rate_window, 0) * kept + seconds;
    new.rate := (coalesce(old.rate * old.rate_window, 0) * kept + gained) / new.rate_window;
    new.progress_interval := coalesce(old.progress_interval + 0.2 * (seconds - old.progress_interval), seconds);
    return new;
end
$$;
drop trigger stamp_progress on public.streams;
create trigger stamp_progress before insert or update of completed, rate, rate_window, progress_interval
    on public.streams for each row execute function private.stamp_progress();
create trigger stamp_progress before insert or update of progress_percentage, rate, rate_window, progress_interval
    on public.acquisition_scans for each row execute function private.stamp_progress();

create function private.record_progress() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    now_at timestamptz := clock_timestamp();
    began timestamptz := new.created_at;
    part double precision;
    whole double precision := 100;
begin
    if tg_table_name = 'streams' then
        if tg_op = 'UPDATE' and new.completed = old.completed and new.total = old.total then
            return null;
        end if;
        part := new.completed;
        whole := new.total;
    else
        if tg_op = 'UPDATE' and new.progress_percentage = old.progress_percentage then
            return null;
        end if;
        part := new.progress_percentage;
        began := coalesce(new.started_at, began);
    end if;
    if part >= whole or not exists (
        select from public.progress_points as point
        where point.subject_id = new.id
            and point.at > now_at - least(interval '1 minute', greatest(interval '1 second', (now_at - began) / 500))
    ) then
        insert into public.progress_points (subject_id, at, org_id, done, whole)
        values (new.id, now_at, new.org_id, part, whole)
        on conflict do nothing;
    end if;
    return null;
end
$$;
create trigger record_progress after insert or update of completed, total on public.streams
    for each row execute function private.record_progress();
create trigger record_progress after insert or update of progress_percentage on public.acquisition_scans
    for each row execute function private.record_progress();

create function private.forget_progress() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.progress_points where subject_id = old.id;
    return null;
end
$$;
create trigger forget_progress after delete on public.streams
    for each row execute function private.forget_progress();
create trigger forget_progress after delete on public.acquisition_scans
    for each row execute function private.forget_progress();

-- A late report must not bring a finished run back to life, nor change how long it took.
create function private.keep_finished() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    fixed text[] := array['status', 'started_at', 'completed_at', 'duration_ms', 'progress_percentage', 'current_step'];
begin
    if old.status in ('completed', 'failed', 'cancelled') and exists (
        select from unnest(fixed) as field(name)
        where to_jsonb(old) -> field.name is distinct from to_jsonb(new) -> field.name
    ) then
        raise exception 'the run % has finished (%) and is not rewritten', old.id, old.status
            using errcode = '55000', hint = 'Start a new run.';
    end if;
    return new;
end
$$;
create trigger keep_finished before update on public.acquisition_scans
    for each row execute function private.keep_finished();
create trigger keep_finished before update on public.agent_executions
    for each row execute function private.keep_finished();

revoke execute on function private.record_progress(), private.forget_progress(), private.keep_finished()
    from public, authenticated;
