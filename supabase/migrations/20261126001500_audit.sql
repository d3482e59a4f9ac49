-- The audit log of an organisation: who changed what, when and from where. Triggers write it, and nobody changes it.

create table public.audit_events (
    id bigint generated always as identity primary key,
    org_id uuid not null references public.organizations (id) on delete cascade,
    at timestamptz not null default clock_timestamp(),
    actor_id uuid,
    -- Name and address as they were then; the key's name for a program, "the system" for the database's own work.
    actor text not null,
    -- Where the actor's session was opened.
    address inet,
    action text not null,
    subject text not null,
    before jsonb,
    after jsonb
);
create index audit_events_org_id_id_idx on public.audit_events (org_id, id desc);

-- Returns name and address of a user, such as `Ada <ada@example.org>`; the id of one who was deleted.
create function private.person_name(person uuid) returns text
language sql stable security definer set search_path = ''
as $$
    select coalesce(
        (select concat_ws(' ', profile.display_name, '<' || member.email || '>')
         from auth.users as member left join public.profiles as profile on profile.user_id = member.id
         where member.id = person),
        person::text
    )
$$;

-- Writes an event, unless the organisation is being deleted with everything in it.
create function private.note_audit(
    org uuid, action text, subject text, before jsonb default null, after jsonb default null
) returns void
language sql security definer set search_path = ''
as $$
    insert into public.audit_events (org_id, actor_id, actor, address, action, subject, before, after)
    select org, auth.uid(),
        coalesce(
            private.person_name(auth.uid()),
            (select 'key ' || key.name from public.ingest_keys as key where key.id = private.claimed_ingest_key()),
            'the system'
        ),
        (select opened.ip from auth.sessions as opened where opened.id = (auth.jwt() ->> 'session_id')::uuid),
        note_audit.action, note_audit.subject, note_audit.before, note_audit.after
    where exists (select from public.organizations where id = org)
$$;

create function private.audit_members() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        perform private.note_audit(new.org_id, 'member.added', private.person_name(new.user_id), null,
            jsonb_build_object('role', new.role));
    elsif tg_op = 'DELETE' then
        perform private.note_audit(old.org_id,
            case when old.user_id = auth.uid() then 'member.left' else 'member.removed' end,
            private.person_name(old.user_id), jsonb_build_object('role', old.role));
    elsif new.role <> old.role then
        perform private.note_audit(new.org_id, 'member.role_changed', private.person_name(new.user_id),
            jsonb_build_object('role', old.role), jsonb_build_object('role', new.role));
    end if;
    return null;
end
$$;
create trigger audit after insert or update or delete on public.org_members
    for each row execute function private.audit_members();

create function private.audit_invitations() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    subject text := coalesce(new.email, 'anybody with the link');
    terms jsonb := jsonb_build_object('role', new.role, 'expires_at', new.expires_at);
begin
    if tg_op = 'INSERT' then
        perform private.note_audit(new.org_id, 'invitation.created', subject, null, terms);
    elsif new.accepted_at is distinct from old.accepted_at then
        perform private.note_audit(new.org_id, 'invitation.accepted', subject, null, terms);
    elsif new.token_hash <> old.token_hash then
        perform private.note_audit(new.org_id, 'invitation.renewed', subject, null, terms);
    elsif new.revoked_at is distinct from old.revoked_at then
        perform private.note_audit(new.org_id, 'invitation.revoked', subject);
    end if;
    return null;
end
$$;
create trigger audit after insert or update on public.invitations
    for each row execute function private.audit_invitations();

create function private.audit_keys() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        perform private.note_audit(new.org_id, 'key.created', new.name, null,
            jsonb_build_object('public_id', new.public_id, 'scopes', new.scopes));
    elsif new.revoked_at is distinct from old.revoked_at then
        perform private.note_audit(new.org_id, 'key.revoked', new.name, jsonb_build_object('public_id', new.public_id));
    end if;
    return null;
end
$$;
create trigger audit after insert or update on public.ingest_keys
    for each row execute function private.audit_keys();

create function private.audit_organizations() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        perform private.note_audit(new.id, 'organization.created', new.name);
    elsif new.name <> old.name then
        perform private.note_audit(new.id, 'organization.renamed', new.name, jsonb_build_object('name', old.name),
            jsonb_build_object('name', new.name));
    end if;
    return null;
end
$$;
create trigger audit after insert or update of name on public.organizations
    for each row execute function private.audit_organizations();

create function private.audit_retention() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    earlier jsonb := case tg_op when 'UPDATE' then to_jsonb(old) - 'org_id' end;
    later jsonb := to_jsonb(new) - 'org_id';
begin
    if earlier is distinct from later then
        perform private.note_audit(new.org_id, 'retention.changed', 'data retention', earlier, later);
    end if;
    return null;
end
$$;
create trigger audit after insert or update on public.retention
    for each row execute function private.audit_retention();

-- One event for each statement in which people or programs delete runs; what retention deletes is no event.
create function private.audit_deletions() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    deleted record;
begin
    if auth.uid() is null and private.claimed_ingest_key() is null then
        return null;
    end if;
    for deleted in
        select (to_jsonb(gone) ->> 'org_id')::uuid as org_id, count(*) as number,
            (array_agg(coalesce(to_jsonb(gone) ->> 'name', to_jsonb(gone) ->> 'agent_name')))[1:10] as names
        from gone group by 1
    loop
        perform private.note_audit(deleted.org_id, tg_table_name || '.deleted', deleted.number || ' deleted',
            jsonb_build_object('count', deleted.number, 'names', deleted.names));
    end loop;
    return null;
end
$$;
create trigger audit after delete on public.streams
    referencing old table as gone for each statement execute function private.audit_deletions();
create trigger audit after delete on public.acquisition_scans
    referencing old table as gone for each statement execute function private.audit_deletions();
create trigger audit after delete on public.agent_executions
    referencing old table as gone for each statement execute function private.audit_deletions();

-- Notes that the current user has signed in, in the logs of all organisations of the user.
create function private.note_sign_in() returns void
language sql security definer set search_path = ''
as $$
    select private.note_audit(member.org_id, 'session.opened', private.person_name(member.user_id))
    from public.org_members as member where member.user_id = auth.uid()
$$;
-- Notes a failed sign-in with the address of an account; the app alone does that, before anybody has signed in.
create function private.note_failed_sign_in(account text, address text) returns void
language sql security definer set search_path = ''
as $$
    select private.note_audit(member.org_id, 'session.refused', private.person_name(person.id), null,
        jsonb_build_object('address', left(note_failed_sign_in.address, 64)))
    from auth.users as person join public.org_members as member on member.user_id = person.id
    where lower(person.email) = lower(btrim(account)) and auth.uid() is null
        and private.claimed_ingest_key() is null
$$;
-- Notes that a member has exported a list.
create function private.note_export(org uuid, list text, filter jsonb) returns void
language sql security definer set search_path = ''
as $$
    select private.note_audit(org, 'list.exported', list, null, filter)
    where org in (select private.my_orgs())
$$;

-- The log is kept by retention, too.
alter table public.retention add column audit_days integer default 365 check (audit_days between 1 and 36500);

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

alter table public.audit_events enable row level security;
revoke all on public.audit_events from anon, authenticated;
grant select on public.audit_events to authenticated;
grant select on public.audit_events to service_role;
create policy "admins see" on public.audit_events
    for select to authenticated using (org_id in (select private.my_administered_orgs()));

revoke execute on all functions in schema private from public;
grant execute on function private.note_sign_in(), private.note_failed_sign_in(text, text),
    private.note_export(uuid, text, jsonb) to authenticated, service_role;
