-- Sessions of a user: where each is used, the list for the user, and ending one of them.

-- The Auth server sees the app instead of the browser, so the app notes the browser itself.
create table public.session_uses (
    session_id uuid primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    user_agent text not null check (char_length(user_agent) <= 400),
    address inet,
    used_at timestamptz not null default clock_timestamp()
);
create index session_uses_user_id_idx on public.session_uses (user_id);
alter table public.session_uses enable row level security;
-- Read and written by the functions below only.
revoke all on public.session_uses from anon, authenticated;
grant all on public.session_uses to service_role;

create function private.my_session() returns uuid
language sql stable set search_path = ''
as $$
    select (auth.jwt() ->> 'session_id')::uuid
$$;

-- Notes the use of the current session, and forgets those of the user's sessions that are over.
create function public.note_session(user_agent text, address inet) returns void
language sql security definer set search_path = ''
as $$
    delete from public.session_uses as used
    where used.user_id = auth.uid()
        and not exists (select from auth.sessions as session where session.id = used.session_id);
    insert into public.session_uses (session_id, user_id, user_agent, address)
    select session.id, session.user_id, left(note_session.user_agent, 400), note_session.address
    from auth.sessions as session where session.id = private.my_session() and session.user_id = auth.uid()
    on conflict (session_id) do update
        set user_agent = excluded.user_agent, address = excluded.address, used_at = excluded.used_at
$$;

-- Returns the user's sessions, the latest used first; user agent and address are those of the last use.
create function public.my_sessions()
returns table (id uuid, created_at timestamptz, used_at timestamptz, user_agent text, address inet, is_current boolean)
language sql stable security definer set search_path = ''
as $$
    select session.id, session.created_at,
        greatest(session.created_at, session.refreshed_at at time zone 'utc', used.used_at) as last_used_at,
        coalesce(used.user_agent, session.user_agent, ''), coalesce(used.address, session.ip),
        coalesce(session.id = private.my_session(), false)
    from auth.sessions as session left join public.session_uses as used on used.session_id = session.id
    where session.user_id = auth.uid() and (session.not_after is null or session.not_after > now())
    order by last_used_at desc, session.id
$$;

-- Ends one of the user's own sessions; returns whether there was one.
create function public.end_session(session uuid) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
    delete from auth.sessions where id = end_session.session and user_id = auth.uid();
    if found then
        perform private.note_account('session.ended');
    end if;
    return found;
end
$$;

-- The address of an event is where the actor's session was last used.
create or replace function private.note_audit(
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
        coalesce(
            (select used.address from public.session_uses as used where used.session_id = private.my_session()),
            (select opened.ip from auth.sessions as opened where opened.id = private.my_session())
        ),
        note_audit.action, note_audit.subject, note_audit.before, note_audit.after
    where exists (select from public.organizations where id = org)
$$;

-- Notes what the current user did with the own account, in the logs of all organisations of the user.
create function private.note_account(action text) returns void
language sql security definer set search_path = ''
as $$
    select private.note_audit(member.org_id, note_account.action, private.person_name(member.user_id))
    from public.org_members as member
    where member.user_id = auth.uid()
        and note_account.action in ('password.changed', 'email.changed', 'session.ended', 'sessions.ended')
$$;

revoke execute on all functions in schema private from public;
grant execute on function private.my_session(), private.note_account(text) to authenticated, service_role;
revoke execute on function public.note_session(text, inet), public.my_sessions(), public.end_session(uuid) from public;
revoke execute on function public.note_session(text, inet), public.my_sessions(), public.end_session(uuid) from anon;
grant execute on function public.note_session(text, inet), public.my_sessions(), public.end_session(uuid)
    to authenticated, service_role;
