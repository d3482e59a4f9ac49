-- Triggers of runs run for what they concern only. A report of progress then runs four of the seven functions, and a
-- heartbeat three: PostgreSQL compares the columns, which costs a tenth of a call. A single function for all would
-- run all of them for each write.

-- The finish of a stream follows its status.
drop trigger stamp_finish on public.streams;
create trigger stamp_finish before update on public.streams
    for each row when (new.goal_status is distinct from old.goal_status) execute function private.stamp_finish();
create trigger stamp_finish_of_new before insert on public.streams
    for each row execute function private.stamp_finish();

-- The rate follows the progress; a writer's own rate is undone.
drop trigger stamp_progress on public.streams;
create trigger stamp_progress before update on public.streams
    for each row when (
        new.completed is distinct from old.completed or new.rate is distinct from old.rate
        or new.rate_window is distinct from old.rate_window
        or new.progress_interval is distinct from old.progress_interval
    ) execute function private.stamp_progress();
create trigger stamp_progress_of_new before insert on public.streams
    for each row execute function private.stamp_progress();
drop trigger stamp_progress on public.acquisition_scans;
create trigger stamp_progress before update on public.acquisition_scans
    for each row when (
        new.progress_percentage is distinct from old.progress_percentage or new.rate is distinct from old.rate
        or new.rate_window is distinct from old.rate_window
        or new.progress_interval is distinct from old.progress_interval
    ) execute function private.stamp_progress();
create trigger stamp_progress_of_new before insert on public.acquisition_scans
    for each row execute function private.stamp_progress();

-- What changes the status or the progress is news of the work, and no heartbeat.
drop trigger unstamp_heartbeat on public.streams;
create trigger unstamp_heartbeat before update of heartbeat_at, reportable_since, archived_at on public.streams
    for each row when (new.completed = old.completed and new.goal_status = old.goal_status)
    execute function private.unstamp_heartbeat();
drop trigger unstamp_heartbeat on public.acquisition_scans;
create trigger unstamp_heartbeat before update of heartbeat_at, reportable_since, archived_at
    on public.acquisition_scans
    for each row when (new.progress_percentage = old.progress_percentage and new.status = old.status)
    execute function private.unstamp_heartbeat();
drop trigger unstamp_heartbeat on public.agent_executions;
create trigger unstamp_heartbeat before update of heartbeat_at, reportable_since, archived_at
    on public.agent_executions
    for each row when (new.status = old.status) execute function private.unstamp_heartbeat();

-- The history follows the progress.
drop trigger record_progress on public.streams;
create trigger record_progress after update on public.streams
    for each row when (new.completed <> old.completed or new.total <> old.total)
    execute function private.record_progress();
create trigger record_progress_of_new after insert on public.streams
    for each row execute function private.record_progress();
drop trigger record_progress on public.acquisition_scans;
create trigger record_progress after update on public.acquisition_scans
    for each row when (new.progress_percentage <> old.progress_percentage)
    execute function private.record_progress();
create trigger record_progress_of_new after insert on public.acquisition_scans
    for each row execute function private.record_progress();

-- Activities follow the status.
drop trigger record_activity on public.streams;
create trigger record_activity after update on public.streams
    for each row when (new.goal_status is distinct from old.goal_status) execute function private.record_activity();
create trigger record_activity_of_new after insert on public.streams
    for each row execute function private.record_activity();
drop trigger record_activity on public.acquisition_scans;
create trigger record_activity after update on public.acquisition_scans
    for each row when (new.status is distinct from old.status) execute function private.record_activity();
create trigger record_activity_of_new after insert on public.acquisition_scans
    for each row execute function private.record_activity();
drop trigger record_activity on public.agent_executions;
create trigger record_activity after update on public.agent_executions
    for each row when (new.status is distinct from old.status) execute function private.record_activity();
create trigger record_activity_of_new after insert on public.agent_executions
    for each row execute function private.record_activity();
