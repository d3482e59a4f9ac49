-- Links to a new password: who may make one for another person, and what the audit log says of accounts.

-- Notes an event about a person in the logs of all organisations of that person.
create function private.note_person(person uuid, action text, after jsonb default null) returns void
language sql security definer set search_path = ''
as $$
    select private.note_audit(member.org_id, note_person.action, private.person_name(member.user_id), null,
        note_person.after)
    from public.org_members as member where member.user_id = person
$$;

-- Returns the address of a person for whom the current user may make a link to a new password, and notes it; null if the
-- user may not. The link opens the whole account: only who is an admin of all its organisations may have one.
create function private.authorize_password_link(person uuid) returns text
language plpgsql security definer set search_path = ''
as $$
declare
    address text;
begin
    if auth.uid() is null or private.claimed_ingest_key() is not null then
        return null;
    end if;
    -- No membership comes or goes meanwhile.
    perform from public.org_members as member where member.user_id = person for share;
    if not found
        or exists (
            select from public.org_members as member
            where member.user_id = person and member.org_id not in (select private.my_administered_orgs())
        )
    then
        return null;
    end if;
    select account.email into address from auth.users as account where account.id = person;
    if address is not null then
        perform private.note_person(person, 'password.link_created');
    end if;
    return address;
end
$$;

-- Notes that a link to a new password was asked for, like a failed sign-in; the app alone does that.
create function private.note_password_request(account text, address text) returns void
language sql security definer set search_path = ''
as $$
    select private.note_person(person.id, 'password.requested',
        jsonb_build_object('address', left(note_password_request.address, 64)))
    from auth.users as person
    where lower(person.email) = lower(btrim(account)) and auth.uid() is null and private.claimed_ingest_key() is null
$$;
-- Notes that the current user has set a password by a link.
create function private.note_password_set() returns void
language sql security definer set search_path = ''
as $$ select private.note_person(auth.uid(), 'password.set') $$;
-- Notes that the current user has opened an account.
create function private.note_account_opened() returns void
language sql security definer set search_path = ''
as $$ select private.note_person(auth.uid(), 'account.opened') $$;

revoke execute on function private.note_person(uuid, text, jsonb), private.authorize_password_link(uuid),
    private.note_password_request(text, text), private.note_password_set(), private.note_account_opened() from public;
grant execute on function private.authorize_password_link(uuid), private.note_password_request(text, text),
    private.note_password_set(), private.note_account_opened() to authenticated, service_role;
