-- Single sign-on: groups of the provider give a role in one organisation.

-- A membership that groups gave is changed and taken away with the groups; one that a person gave is not.
alter table public.org_members
    add column granted_by text not null default 'person' check (granted_by in ('person', 'sso'));

-- Returns the groups and roles that a provider told about a user. They are read from the identity, which only Auth
-- writes; the user's own metadata could be changed by the user.
create function private.sso_groups(person uuid, provider text) returns setof text
language sql stable security definer set search_path = ''
as $$
    with identity as (
        select identity_data -> 'custom_claims' as claims from auth.identities
        where user_id = person and identities.provider = sso_groups.provider
        order by last_sign_in_at desc nulls last limit 1
    )
    select jsonb_array_elements_text(case jsonb_typeof(claim)
        when 'array' then claim
        when 'string' then jsonb_build_array(claim)
        else '[]' end)
    from identity, lateral (values
        (claims -> 'groups'), (claims -> 'roles'), (claims #> '{realm_access,roles}')
    ) as told (claim)
$$;

-- Whether the provider left out the groups since they are too many, as Entra ID does: then they say nothing.
create function private.sso_groups_missing(person uuid, provider text) returns boolean
language sql stable security definer set search_path = ''
as $$
    select coalesce((
        select identity_data #> '{custom_claims,_claim_names,groups}' is not null
            or identity_data #>> '{custom_claims,hasgroups}' = 'true'
        from auth.identities
        where user_id = person and identities.provider = sso_groups_missing.provider
        order by last_sign_in_at desc nulls last limit 1
    ), false)
$$;

-- Gives a user the highest role of the user's groups in an organisation (id or name), changes or takes away what groups
-- gave before, and returns what it did: joined, changed, removed, unchanged, kept (the last admin stays), "no organization", or
-- "no groups" (the provider left them out). Only the app may call it, before it opens a session, and no user.
create function private.apply_sso_groups(person uuid, provider text, organization text, role_of_group jsonb)
returns text
language plpgsql security definer set search_path = ''
as $$
declare
    org uuid;
    granted text;
    member public.org_members;
    last_event bigint;
    outcome text := 'unchanged';
begin
    -- Of several with the name the oldest: everybody may found another.
    select id into org from public.organizations
    where id::text = lower(btrim(organization)) or name = btrim(organization)
    order by id::text = lower(btrim(organization)) desc, created_at, id limit 1
    for key share;
    if org is null then
        return 'no organization';
    end if;
    if private.sso_groups_missing(person, apply_sso_groups.provider) then
        return 'no groups';
    end if;
    select role into granted
    from unnest(array['admin', 'operator', 'viewer']) with ordinality as roles (role, rank)
    where role in (
        select role_of_group ->> told from private.sso_groups(person, apply_sso_groups.provider) as told
    )
    order by rank limit 1;
    select coalesce(max(id), 0) into last_event from public.audit_events where org_id = org;
    select * into member from public.org_members where org_id = org and user_id = person for update;
    begin
        if member.user_id is null and granted is not null then
            insert into public.org_members (org_id, user_id, role, granted_by) values (org, person, granted, 'sso')
            on conflict do nothing;
            outcome := 'joined';
        elsif member.granted_by = 'sso' and granted is null then
            delete from public.org_members where org_id = org and user_id = person;
            outcome := 'removed';
        elsif member.granted_by = 'sso' and granted <> member.role then
            update public.org_members set role = granted where org_id = org and user_id = person;
            outcome := 'changed';
        end if;
    exception when sqlstate 'LW409' then
        outcome := 'kept';
    end;
    -- Nobody is signed in yet who could be the actor.
    update public.audit_events set actor = 'single sign-on'
    where org_id = org and id > last_event and actor_id is null and subject = private.person_name(person);
    return outcome;
end
$$;

revoke execute on function private.sso_groups(uuid, text), private.sso_groups_missing(uuid, text),
    private.apply_sso_groups(uuid, text, text, jsonb) from public;
grant usage on schema private to livewatch_app;
grant execute on function private.apply_sso_groups(uuid, text, text, jsonb) to livewatch_app;

-- A provider knows names, too.
create or replace function private.create_profile() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.profiles (user_id, display_name)
    values (
        new.id,
        left(coalesce(
            nullif(btrim(new.raw_user_meta_data ->> 'display_name'), ''),
            nullif(btrim(new.raw_user_meta_data ->> 'full_name'), ''),
            nullif(btrim(new.raw_user_meta_data ->> 'name'), ''),
            nullif(split_part(new.email, '@', 1), ''),
            'Member'
        ), 120)
    )
    on conflict (user_id) do nothing;
    return new;
end
$$;
