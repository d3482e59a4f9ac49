-- How long a run took by its program's own measure. Reports are dated by their arrival less their age: a beginning that
-- was longer on its way than the end makes the run too short, or ends it at once.

-- Returns whether several processes report a run, of which `name` is one; without a name, it is one of those known.
create function private.has_company(org uuid, run uuid, name text) returns boolean
language sql stable security definer set search_path = ''
as $$
    select count(*) > case when name is null then 1 else 0 end
    from private.run_reporters
    where run_id = run and reporter is distinct from name and org in (select private.ingest_orgs('runs'))
$$;

-- Moves the beginning of a run that is about to end to as many seconds before the present report as its program says
-- that it took, if that is earlier: by a minute at the most, which no report is on its way. A process knows nothing of
-- the beginning of a run that others report, too.
create function private.correct_beginning(org uuid, kind text, slug text, body jsonb) returns void
language plpgsql set search_path = ''
as $$
declare
    took constant interval := make_interval(secs => least((body ->> 'elapsed')::double precision, 1e6));
    began constant timestamptz := private.event_time() - took;
    -- What a measure may be wrong by, so that hardly any end writes its row twice.
    wrong_from constant timestamptz := began + interval '20 milliseconds';
    wrong_to constant timestamptz := began + interval '1 minute';
begin
    if kind = 'streams' then
        -- A stream ends no earlier than it was created.
        update public.streams as run set attempt_started_at = greatest(began, run.created_at - took)
        where run.org_id = org and run.slug = correct_beginning.slug and not run.is_finished
            and coalesce(run.attempt_started_at, run.created_at) between wrong_from and wrong_to
            and not private.has_company(org, run.id, body ->> 'reporter');
    elsif kind = 'scans' then
        update public.acquisition_scans as run set
            started_at = began, attempt_started_at = case when run.attempt > 1 then began end
        where run.org_id = org and run.slug = correct_beginning.slug and not run.is_finished
            and run.started_at between wrong_from and wrong_to
            and not private.has_company(org, run.id, body ->> 'reporter');
    else
        update public.agent_executions as run set
            started_at = began, attempt_started_at = case when run.attempt > 1 then began end
        where run.org_id = org and run.slug = correct_beginning.slug and not run.is_finished
            and run.started_at between wrong_from and wrong_to
            and not private.has_company(org, run.id, body ->> 'reporter');
    end if;
end
$$;

revoke execute on function
    private.has_company(uuid, uuid, text), private.correct_beginning(uuid, text, text, jsonb) from public;
grant execute on function
    private.has_company(uuid, uuid, text), private.correct_beginning(uuid, text, text, jsonb)
    to authenticated, service_role;
