-- How long a run took by its program's own measure. Reports are dated by their arrival less their age: a beginning that
-- was longer on its way than the end makes the run too short, or ends it at once.

-- Moves the beginning of a run that is about to end to `elapsed` seconds before the present report, if that is earlier:
-- by a minute at the most, which no report is on its way.
create function private.correct_beginning(org uuid, kind text, slug text, elapsed double precision) returns void
language plpgsql set search_path = ''
as $$
declare
    took constant interval := make_interval(secs => least(elapsed, 1e6));
    began constant timestamptz := private.event_time() - took;
    -- What a measure may be wrong by, so that hardly any end writes its row twice.
    wrong_from constant timestamptz := began + interval '20 milliseconds';
    wrong_to constant timestamptz := began + interval '1 minute';
begin
    if kind = 'streams' then
        -- A stream ends no earlier than it was created.
        update public.streams as run set attempt_started_at = greatest(began, run.created_at - took)
        where run.org_id = org and run.slug = correct_beginning.slug and not run.is_finished
            and coalesce(run.attempt_started_at, run.created_at) between wrong_from and wrong_to;
    elsif kind = 'scans' then
        update public.acquisition_scans as run set
            started_at = began, attempt_started_at = case when run.attempt > 1 then began end
        where run.org_id = org and run.slug = correct_beginning.slug and not run.is_finished
            and run.started_at between wrong_from and wrong_to;
    else
        update public.agent_executions as run set
            started_at = began, attempt_started_at = case when run.attempt > 1 then began end
        where run.org_id = org and run.slug = correct_beginning.slug and not run.is_finished
            and run.started_at between wrong_from and wrong_to;
    end if;
end
$$;

revoke execute on function private.correct_beginning(uuid, text, text, double precision) from public;
grant execute on function private.correct_beginning(uuid, text, text, double precision) to authenticated, service_role;
