-- Organisations, their members with one role each, and profiles.

create schema if not exists private;
revoke all on schema private from public;
grant usage on schema private to authenticated, service_role;

create table public.organizations (
    id uuid primary key default gen_random_uuid(),
    name text not null check (char_length(btrim(name)) between 1 and 120),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table public.org_members (
    org_id uuid not null references public.organizations (id) on delete cascade,
    user_id uuid not null references auth.users (id) on delete cascade,
    role text not null default 'viewer' check (role in ('viewer', 'operator', 'admin')),
    created_at timestamptz not null default now(),
    primary key (org_id, user_id)
);
create index org_members_user_id_idx on public.org_members (user_id);

create table public.profiles (
    user_id uuid primary key references auth.users (id) on delete cascade,
    display_name text not null check (char_length(btrim(display_name)) between 1 and 120),
    avatar text check (char_length(avatar) <= 2000),
    preferences jsonb not null default '{}' check (jsonb_typeof(preferences) = 'object'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- Membership lookups for the policies. They are security definer, because a policy on org_members that reads
-- org_members would call itself. The user id is a sub-select, so that the planner evaluates it once per statement.

create function private.my_orgs() returns setof uuid
language sql stable security definer set search_path = ''
as $$ select org_id from public.org_members where user_id = (select auth.uid()) $$;

create function private.my_writable_orgs() returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select org_id from public.org_members
    where user_id = (select auth.uid()) and role in ('operator', 'admin')
$$;

create function private.my_administered_orgs() returns setof uuid
language sql stable security definer set search_path = ''
as $$ select org_id from public.org_members where user_id = (select auth.uid()) and role = 'admin' $$;

create function private.my_fellows() returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select fellow.user_id
    from public.org_members as mine
    join public.org_members as fellow using (org_id)
    where mine.user_id = (select auth.uid())
$$;

create function private.is_member(member uuid, org uuid) returns boolean
language sql stable security definer set search_path = ''
as $$ select exists (select from public.org_members where user_id = member and org_id = org) $$;

-- Creates an organisation with the signed-in user as its first admin; returns its id.
create function public.create_organization(name text) returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
    org uuid;
begin
    if (select auth.uid()) is null then
        raise exception 'The organisation % was not created: sign in first.', to_json(name) using errcode = '42501';
    end if;
    insert into public.organizations (name) values (btrim(create_organization.name)) returning id into org;
    insert into public.org_members (org_id, user_id, role) values (org, (select auth.uid()), 'admin');
    return org;
end
$$;

-- Creates the profile of a new user, named by the sign-up form or the e-mail address.
create function private.create_profile() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.profiles (user_id, display_name)
    values (
        new.id,
        left(coalesce(
            nullif(btrim(new.raw_user_meta_data ->> 'display_name'), ''),
            nullif(split_part(new.email, '@', 1), ''),
            'Member'
        ), 120)
    )
    on conflict (user_id) do nothing;
    return new;
end
$$;
create trigger create_profile after insert on auth.users
    for each row execute function private.create_profile();

alter table public.organizations enable row level security;
alter table public.org_members enable row level security;
alter table public.profiles enable row level security;

revoke all on public.organizations, public.org_members, public.profiles from anon, authenticated;
grant select, update (name), delete on public.organizations to authenticated;
grant select, insert (org_id, user_id, role), update (role), delete on public.org_members to authenticated;
grant select, update (display_name, avatar, preferences) on public.profiles to authenticated;
grant all on public.organizations, public.org_members, public.profiles to service_role;

create policy "members see their organisations" on public.organizations
    for select to authenticated using (id in (select private.my_orgs()));
create policy "admins rename their organisations" on public.organizations
    for update to authenticated using (id in (select private.my_administered_orgs()));
create policy "admins delete their organisations" on public.organizations
    for delete to authenticated using (id in (select private.my_administered_orgs()));

create policy "members see their fellow members" on public.org_members
    for select to authenticated using (org_id in (select private.my_orgs()));
create policy "admins add members" on public.org_members
    for insert to authenticated with check (org_id in (select private.my_administered_orgs()));
create policy "admins change roles" on public.org_members
    for update to authenticated using (org_id in (select private.my_administered_orgs()));
create policy "admins remove members, and members leave" on public.org_members
    for delete to authenticated
    using (org_id in (select private.my_administered_orgs()) or user_id = (select auth.uid()));

create policy "people see themselves and their fellow members" on public.profiles
    for select to authenticated
    using (user_id = (select auth.uid()) or user_id in (select private.my_fellows()));
create policy "people change their own profile" on public.profiles
    for update to authenticated using (user_id = (select auth.uid()));

revoke execute on function public.create_organization(text) from public, anon;
grant execute on function public.create_organization(text) to authenticated, service_role;
revoke execute on all functions in schema private from public;
grant execute on function private.my_orgs(), private.my_writable_orgs(), private.my_administered_orgs(),
    private.my_fellows(), private.is_member(uuid, uuid) to authenticated, service_role;
