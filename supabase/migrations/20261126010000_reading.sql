-- What programs read: a key with the scope `read` sees the runs, activities, logs, progress and comments of its
-- organisation like a member, and of the messages to people those that programs sent. And runs that were deleted, of
-- which programs that follow runs learn when they come back.

alter policy "keys see what was reported" on public.streams using (
    org_id in (select private.ingest_orgs('read'))
    or slug is not null and org_id in (select private.readable_orgs()));
alter policy "keys see what was reported" on public.acquisition_scans using (
    org_id in (select private.ingest_orgs('read'))
    or slug is not null and org_id in (select private.readable_orgs()));
alter policy "keys see what was reported" on public.agent_executions using (
    org_id in (select private.ingest_orgs('read'))
    or slug is not null and org_id in (select private.readable_orgs()));
create policy "keys read" on public.activities for select to authenticated
    using (org_id in (select private.ingest_orgs('read')));
create policy "keys read" on public.log_lines for select to authenticated
    using (org_id in (select private.ingest_orgs('read')));
create policy "keys read" on public.progress_points for select to authenticated
    using (org_id in (select private.ingest_orgs('read')));
-- Comments on runs alone: what people write about alerts and in their chat is not about programs' work.
create policy "keys read" on public.threads for select to authenticated using (
    subject_table in ('streams', 'acquisition_scans', 'agent_executions')
    and org_id in (select private.ingest_orgs('read')));
create policy "keys read" on public.messages for select to authenticated using (
    org_id in (select private.ingest_orgs('read'))
    and exists (select from public.threads as thread where thread.id = thread_id));

-- Alerts and notifications are their recipients': a key is no person and sees none of people's messages to each other.
-- What programs sent, programs read, once however many people it went to.
alter table public.signal_alerts add column sent_by uuid;
alter table public.notifications add column sent_by uuid, add column event_id uuid;
comment on column public.signal_alerts.sent_by is
    'The key that sent it, on one row of each event: programs read that row.';
comment on column public.notifications.sent_by is
    'The key that sent it, on one row of each event: programs read that row.';
comment on column public.notifications.event_id is
    'What the notifications of several recipients tell of: the id of the first of them. Null for one of one recipient.';
create index signal_alerts_sent_idx on public.signal_alerts (org_id, created_at desc) where sent_by is not null;
create index notifications_sent_idx on public.notifications (org_id, created_at desc) where sent_by is not null;
create index notifications_event_id_idx on public.notifications (event_id) where event_id is not null;
create policy "keys read what keys sent" on public.signal_alerts for select to authenticated
    using (sent_by is not null and org_id in (select private.ingest_orgs('read')));
create policy "keys read what keys sent" on public.notifications for select to authenticated
    using (sent_by is not null and org_id in (select private.ingest_orgs('read')));
-- People cannot pass their messages for a program's.
alter policy "operators and admins send to members" on public.signal_alerts with check (
    sent_by is null and org_id in (select private.my_writable_orgs()) and private.is_member(user_id, org_id));
alter policy "operators and admins send to members" on public.notifications with check (
    sent_by is null and event_id is null and org_id in (select private.my_writable_orgs())
    and private.is_member(user_id, org_id));
alter policy "keys send to members" on public.signal_alerts with check (
    org_id in (select private.ingest_orgs('alerts')) and private.is_member(user_id, org_id)
    and (sent_by is null or sent_by = (select private.ingest_key())));
alter policy "keys send to members" on public.notifications with check (
    org_id in (select private.ingest_orgs('notifications')) and private.is_member(user_id, org_id)
    and (sent_by is null or sent_by = (select private.ingest_key())));

-- Sends an alert or a notification: one row for each recipient.
create or replace function private.send_to_members(org uuid, target text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    recipients constant uuid[] := private.ingest_recipients(org, body -> 'to');
    -- Generated here, because a sender may not read its rows back.
    ids constant uuid[] := array(select gen_random_uuid() from unnest(recipients));
    event constant uuid := case when cardinality(ids) > 1 then ids[1] end;
    sender constant uuid := private.claimed_ingest_key();
    -- One time for all: another row of the event stands in when a recipient deletes the first.
    sent_at constant timestamptz := private.event_time();
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
             metadata, detected_at, created_at, sent_by)
        select id, org, recipient, event, parent_id, body ->> 'company_name',
            body ->> 'target_name', body ->> 'signal_type', (body ->> 'signal_strength')::smallint,
            coalesce(body -> 'metadata', '{}'), sent_at, sent_at,
            case when id = ids[1] then sender end
        from unnest(ids, recipients) as sent (id, recipient);
    else
        insert into public.notifications
            (id, org_id, user_id, event_id, type, title, message, action_url, created_at, sent_by)
        select id, org, recipient, event, coalesce(body ->> 'type', 'info'), body ->> 'title',
            coalesce(body ->> 'message', ''), body ->> 'action_url', sent_at,
            case when id = ids[1] then sender end
        from unnest(ids, recipients) as sent (id, recipient);
    end if;
    return jsonb_build_object('status', 201, 'id', ids[1], 'ids', to_jsonb(ids));
end
$$;

-- Marks another row of an event for programs, when a recipient deleted the one that was.
create function private.keep_sent_event() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    execute format(
        'update public.%1$I as kept set sent_by = gone.sent_by
         from deleted as gone
         where gone.sent_by is not null and gone.event_id is not null and kept.id = (
             select other.id from public.%1$I as other
             where other.event_id = gone.event_id and other.org_id = gone.org_id order by other.id limit 1)',
        tg_table_name);
    return null;
end
$$;
create trigger keep_sent_event after delete on public.signal_alerts referencing old table as deleted
    for each statement execute function private.keep_sent_event();
create trigger keep_sent_event after delete on public.notifications referencing old table as deleted
    for each statement execute function private.keep_sent_event();

-- Runs that were deleted, kept for a week.
create table public.deleted_runs (
    id uuid not null,
    org_id uuid not null references public.organizations (id) on delete cascade,
    kind text not null check (kind in ('stream', 'scan', 'agent')),
    slug text,
    name text not null,
    version bigint not null,
    deleted_at timestamptz not null,
    primary key (id, version)
);
create index deleted_runs_org_id_idx on public.deleted_runs (org_id, deleted_at);
create index deleted_runs_deleted_at_idx on public.deleted_runs (deleted_at);
alter table public.deleted_runs enable row level security;
revoke all on public.deleted_runs from anon, authenticated;
grant select on public.deleted_runs to authenticated;
grant all on public.deleted_runs to service_role;
create policy "keys see what was reported" on public.deleted_runs for select to authenticated using (
    org_id in (select private.ingest_orgs('read'))
    or slug is not null and org_id in (select private.readable_orgs()));

-- Notes the runs that a statement deleted, none of an organisation that is being deleted itself, and forgets old ones.
create function private.note_deleted_runs() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    execute format(
        'insert into public.deleted_runs (id, org_id, kind, slug, name, version, deleted_at)
         select run.id, run.org_id, %L, run.slug, run.%I, nextval(''private.row_version''), clock_timestamp()
         from deleted as run join public.organizations as org on org.id = run.org_id',
        tg_argv[0], tg_argv[1]);
    delete from public.deleted_runs
    where (id, version) in (
        select id, version from public.deleted_runs
        where deleted_at < clock_timestamp() - interval '7 days'
        order by deleted_at limit 5000 for update skip locked
    );
    return null;
end
$$;
create trigger note_deleted_runs after delete on public.streams referencing old table as deleted
    for each statement execute function private.note_deleted_runs('stream', 'name');
create trigger note_deleted_runs after delete on public.acquisition_scans referencing old table as deleted
    for each statement execute function private.note_deleted_runs('scan', 'name');
create trigger note_deleted_runs after delete on public.agent_executions referencing old table as deleted
    for each statement execute function private.note_deleted_runs('agent', 'agent_name');

revoke execute on function private.keep_sent_event(), private.note_deleted_runs() from public, anon;
