-- A team comes in: invitations, the list of members, and the guard that keeps an admin in every organisation.

alter table public.org_members add column invited_by uuid references auth.users (id) on delete set null;

create function private.keep_an_admin() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if old.role <> 'admin' or (tg_op = 'UPDATE' and new.role = 'admin') then
        return case tg_op when 'DELETE' then old else new end;
    end if;
    -- Two admins who demote each other wait here for one another. An organisation that is deleted is gone already, and
    -- so is a user who is.
    perform from public.organizations where id = old.org_id for no key update;
    if found
        and exists (select from auth.users where id = old.user_id)
        and not exists (
            select from public.org_members
            where org_id = old.org_id and role = 'admin' and user_id <> old.user_id
        )
    then
        raise exception 'The organisation would have no admin. Make another member an admin first.'
            using errcode = 'LW409';
    end if;
    return case tg_op when 'DELETE' then old else new end;
end
$$;
create trigger keep_an_admin before update of role or delete on public.org_members
    for each row execute function private.keep_an_admin();

-- An invitation joins one person to an organisation, once. The app makes its token, and only a digest is stored.
create table public.invitations (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    -- Only a user with this address may accept; anybody who has the link if null.
    email text check (email = lower(btrim(email)) and char_length(email) between 3 and 320 and email like '%_@_%'),
    role text not null check (role in ('viewer', 'operator', 'admin')),
    token_hash bytea not null unique check (octet_length(token_hash) = 32),
    created_by uuid default auth.uid() references auth.users (id) on delete set null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null check (expires_at <= created_at + interval '366 days'),
    accepted_at timestamptz,
    accepted_by uuid references auth.users (id) on delete set null,
    revoked_at timestamptz
);
create index invitations_org_id_idx on public.invitations (org_id);

create function private.invitation_state(invitation public.invitations) returns text
language sql stable set search_path = ''
as $$
    select case
        when invitation.accepted_at is not null then 'accepted'
        when invitation.revoked_at is not null then 'revoked'
        when invitation.expires_at <= now() then 'expired'
        else 'open'
    end
$$;

-- Returns what the holder of a token may know of its invitation; no row for an unknown token.
create function public.read_invitation(digest bytea)
returns table (org_id uuid, org_name text, role text, email text, invited_by text, state text, is_member boolean)
language sql stable security definer set search_path = ''
as $$
    select invitation.org_id, org.name, invitation.role, invitation.email, inviter.display_name,
        private.invitation_state(invitation), private.is_member((select auth.uid()), invitation.org_id)
    from public.invitations as invitation
    join public.organizations as org on org.id = invitation.org_id
    left join public.profiles as inviter on inviter.user_id = invitation.created_by
    where invitation.token_hash = digest
$$;

-- Joins the current user to the organisation of an open invitation; a member keeps the role and the invitation stays.
-- Returns the organisation, null for an unknown token, and the outcome: joined, member, foreign (it is for another
-- address), accepted, revoked, expired or unknown.
create function public.accept_invitation(digest bytea, out org uuid, out outcome text)
language plpgsql security definer set search_path = ''
as $$
declare
    invitation public.invitations;
    person uuid := (select auth.uid());
begin
    if person is null then
        raise exception 'Sign in first, then accept the invitation.' using errcode = '42501';
    end if;
    select * into invitation from public.invitations where token_hash = digest for update;
    org := invitation.org_id;
    if not found then
        outcome := 'unknown';
    elsif private.is_member(person, org) then
        outcome := 'member';
    elsif private.invitation_state(invitation) <> 'open' then
        outcome := private.invitation_state(invitation);
    elsif invitation.email is not null
        and invitation.email is distinct from (select lower(email) from auth.users where id = person)
    then
        outcome := 'foreign';
    else
        insert into public.org_members (org_id, user_id, role, invited_by)
        values (org, person, invitation.role, invitation.created_by);
        update public.invitations set accepted_at = now(), accepted_by = person where id = invitation.id;
        outcome := 'joined';
    end if;
end
$$;

-- Returns the members of an organisation of the current user; addresses and last use to its admins only.
create function public.team(org uuid)
returns table (
    user_id uuid, name text, email text, role text, joined_at timestamptz, last_seen_at timestamptz, invited_by text
)
language sql stable security definer set search_path = ''
as $$
    with me as (select org in (select private.my_administered_orgs()) as is_admin)
    select member.user_id, profile.display_name, case when me.is_admin then person.email::text end, member.role,
        member.created_at,
        case when me.is_admin then greatest(person.last_sign_in_at, (
            select max(coalesce(session.refreshed_at at time zone 'utc', session.created_at))
            from auth.sessions as session where session.user_id = member.user_id
        )) end,
        inviter.display_name
    from me
    cross join public.org_members as member
    join auth.users as person on person.id = member.user_id
    left join public.profiles as profile on profile.user_id = member.user_id
    left join public.profiles as inviter on inviter.user_id = member.invited_by
    where member.org_id = team.org and team.org in (select private.my_orgs())
    order by lower(profile.display_name), member.user_id
$$;

-- Tells every member of the organisation that its team, its invitations or its name changed. One who was removed learns
-- it from the row itself (broadcast_row). A statement tells each of them once.
create function private.announce_team() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform realtime.send(
        jsonb_build_object('table', 'team', 'org_id', member.org_id), 'UPDATE', 'user:' || member.user_id, true
    )
    from public.org_members as member
    where member.org_id in (
        select coalesce(to_jsonb(changed) ->> 'org_id', to_jsonb(changed) ->> 'id')::uuid from changed
    );
    return null;
end
$$;
create trigger announce_insert after insert on public.org_members
    referencing new table as changed for each statement execute function private.announce_team();
create trigger announce_update after update on public.org_members
    referencing new table as changed for each statement execute function private.announce_team();
create trigger announce_delete after delete on public.org_members
    referencing old table as changed for each statement execute function private.announce_team();
create trigger announce_insert after insert on public.invitations
    referencing new table as changed for each statement execute function private.announce_team();
create trigger announce_update after update on public.invitations
    referencing new table as changed for each statement execute function private.announce_team();
create trigger announce_update after update on public.organizations
    referencing new table as changed for each statement execute function private.announce_team();

alter table public.invitations enable row level security;
revoke all on public.invitations from anon, authenticated;
grant select (id, org_id, email, role, created_by, created_at, expires_at, accepted_at, accepted_by, revoked_at)
    on public.invitations to authenticated;
grant insert (org_id, email, role, token_hash, expires_at), update (token_hash, expires_at, revoked_at)
    on public.invitations to authenticated;
grant all on public.invitations to service_role;
create policy "admins see" on public.invitations
    for select to authenticated using (org_id in (select private.my_administered_orgs()));
create policy "admins invite" on public.invitations
    for insert to authenticated with check (org_id in (select private.my_administered_orgs()));
create policy "admins renew and revoke" on public.invitations
    for update to authenticated
    using (org_id in (select private.my_administered_orgs()) and accepted_at is null);

revoke execute on function public.read_invitation(bytea), public.accept_invitation(bytea), public.team(uuid)
    from public, anon;
grant execute on function public.read_invitation(bytea), public.accept_invitation(bytea), public.team(uuid)
    to authenticated, service_role;
revoke execute on function private.keep_an_admin(), private.announce_team(),
    private.invitation_state(public.invitations) from public;
