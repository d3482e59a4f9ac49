-- An alert that is sent to several people is a row for each of them, and one event, about which they talk and which one of
-- them takes. And what feeds hold of the threads.

alter table public.signal_alerts add column event_id uuid;
comment on column public.signal_alerts.event_id is
    'What the alerts of several recipients tell of: the id of the first of them. Null for an alert of one recipient.';
create index signal_alerts_event_id_idx on public.signal_alerts (event_id) where event_id is not null;

-- Sends an alert or a notification: one row for each recipient.
create or replace function private.send_to_members(org uuid, target text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    recipients constant uuid[] := private.ingest_recipients(org, body -> 'to');
    -- Generated here, because a sender may not read its rows back.
    ids constant uuid[] := array(select gen_random_uuid() from unnest(recipients));
    parent_id uuid;
begin
    if target = 'alerts' then
        if body ? 'stream' then
            parent_id := private.ingest_stream(org, body ->> 'stream');
            if parent_id is null then
                perform private.raise_api_error(
                    '404', format('There is no streams/%s: report it with PUT first.', body ->> 'stream'), 'stream');
            end if;
        end if;
        insert into public.signal_alerts
            (id, org_id, user_id, event_id, stream_id, company_name, target_name, signal_type, signal_strength,
             metadata, detected_at, created_at)
        select id, org, recipient, case when cardinality(ids) > 1 then ids[1] end, parent_id, body ->> 'company_name',
            body ->> 'target_name', body ->> 'signal_type', (body ->> 'signal_strength')::smallint,
            coalesce(body -> 'metadata', '{}'), private.event_time(), private.event_time()
        from unnest(ids, recipients) as sent (id, recipient);
    else
        insert into public.notifications (id, org_id, user_id, type, title, message, action_url, created_at)
        select id, org, recipient, coalesce(body ->> 'type', 'info'), body ->> 'title',
            coalesce(body ->> 'message', ''), body ->> 'action_url', private.event_time()
        from unnest(ids, recipients) as sent (id, recipient);
    end if;
    return jsonb_build_object('status', 201, 'id', ids[1], 'ids', to_jsonb(ids));
end
$$;

-- The name of what a thread is about; null where it does not exist in the organisation. An alert is its recipients'.
create or replace function private.subject_name(org uuid, subject_table text, subject_id uuid) returns text
language plpgsql stable security definer set search_path = ''
as $$
declare
    found text;
begin
    case subject_table
        when 'organizations' then
            select 'Chat' into found where subject_id = org;
        when 'streams' then
            select name into found from public.streams as each where each.id = subject_id and each.org_id = org;
        when 'acquisition_scans' then
            select name into found from public.acquisition_scans as each
            where each.id = subject_id and each.org_id = org;
        when 'agent_executions' then
            select agent_name into found from public.agent_executions as each
            where each.id = subject_id and each.org_id = org;
        when 'signal_alerts' then
            select target_name into found from public.signal_alerts as each
            where (each.event_id = subject_id or each.event_id is null and each.id = subject_id)
                and each.org_id = org and (
                    each.user_id = (select auth.uid())
                    or exists (select from public.threads as thread
                               where thread.org_id = org and thread.subject_id = subject_name.subject_id))
            limit 1;
        else found := null;
    end case;
    return found;
end
$$;

-- The thread about an alert goes with the last row of its event.
create function private.delete_alert_threads() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.threads as thread using deleted
    where thread.subject_id = coalesce(deleted.event_id, deleted.id) and thread.org_id = deleted.org_id
        and not exists (select from public.signal_alerts as other where other.event_id = deleted.event_id);
    return null;
end
$$;
drop trigger delete_threads on public.signal_alerts;
create trigger delete_threads after delete on public.signal_alerts referencing old table as deleted
    for each statement execute function private.delete_alert_threads();
revoke execute on function private.delete_alert_threads() from public, anon;

-- Feeds hold the threads of which somebody takes care before the latest.
drop index public.threads_org_id_last_at_idx;
create index threads_held_idx on public.threads
    (org_id, (handling in ('taken', 'snoozed')) desc, last_at desc);
