-- A heartbeat says that a run lives, and nothing new of it: the run stays as it was last updated.

create function private.still_row() returns trigger
language plpgsql set search_path = ''
as $$
declare
    -- What a heartbeat sets, what stamp_row sets after it, and what is only computed once this trigger has run.
    passing constant text[] := array['heartbeat_at', 'heartbeat_interval', 'ingest_key', 'version', 'updated_at', 'percentage'];
begin
    if to_jsonb(new) - passing = to_jsonb(old) - passing then
        new.updated_at := old.updated_at;
    end if;
    return new;
end
$$;
revoke execute on function private.still_row() from public;

-- After stamp_row, since triggers fire by their names.
create trigger still_row before update of heartbeat_at on public.streams
    for each row execute function private.still_row();
create trigger still_row before update of heartbeat_at on public.acquisition_scans
    for each row execute function private.still_row();
create trigger still_row before update of heartbeat_at on public.agent_executions
    for each row execute function private.still_row();
