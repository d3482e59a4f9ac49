-- Keys that expire, that read only, and that are replaced while the earlier one still works; where each was last used.

alter table public.ingest_keys
    add column expires_at timestamptz,
    add column replaces uuid,
    add column last_used_address inet,
    add constraint ingest_keys_replaces_fkey foreign key (replaces, org_id) references public.ingest_keys (id, org_id)
        on delete set null (replaces),
    drop constraint ingest_keys_scopes_check,
    add constraint ingest_keys_scopes_check
        check (cardinality(scopes) > 0 and scopes <@ array['runs', 'alerts', 'notifications', 'read']);
create index ingest_keys_replaces_idx on public.ingest_keys (replaces, org_id);
grant select (expires_at, replaces, last_used_address), insert (expires_at, replaces), update (expires_at)
    on public.ingest_keys to authenticated;

-- A key that has expired stays so, as a revoked one does: otherwise an old secret would work again.
create or replace function private.keep_revoked() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
        raise exception 'The key % is revoked and cannot be restored: create a new key.', old.public_id
            using errcode = '55000';
    end if;
    if old.expires_at <= now() and new.expires_at is distinct from old.expires_at then
        raise exception 'The key % has expired and cannot be restored: create a new key.', old.public_id
            using errcode = '55000';
    end if;
    return new;
end
$$;

-- Whether a key works at present.
create function private.is_valid(key public.ingest_keys) returns boolean
language sql stable set search_path = ''
as $$
    select key.revoked_at is null and (key.expires_at is null or key.expires_at > now())
$$;

create or replace function private.ingest_key() returns uuid
language sql stable security definer set search_path = ''
as $$
    select key.id from public.ingest_keys as key
    where key.id = (select private.claimed_ingest_key()) and private.is_valid(key)
$$;

create or replace function private.ingest_orgs(scope text) returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select key.org_id from public.ingest_keys as key
    where key.id = (select private.claimed_ingest_key()) and private.is_valid(key) and scope = any (key.scopes)
$$;

create or replace function private.verify_ingest_key(public_id text, secret_hash bytea)
returns table (id uuid, org_id uuid, org_name text, name text, scopes text[])
language sql stable security definer set search_path = ''
as $$
    select key.id, key.org_id, org.name, key.name, key.scopes
    from public.ingest_keys as key
    join public.organizations as org on org.id = key.org_id
    cross join (select uuid_send(gen_random_uuid()) as value) as nonce
    where key.public_id = verify_ingest_key.public_id and private.is_valid(key)
        and sha256(key.secret_hash || nonce.value) = sha256(verify_ingest_key.secret_hash || nonce.value)
$$;

-- Returns the organisation of the current key if it may see runs: to report or to read them.
create function private.readable_orgs() returns setof uuid
language sql stable security definer set search_path = ''
as $$
    select private.ingest_orgs('runs') union select private.ingest_orgs('read')
$$;
alter policy "keys see what was reported" on public.streams
    using (slug is not null and org_id in (select private.readable_orgs()));
alter policy "keys see what was reported" on public.acquisition_scans
    using (slug is not null and org_id in (select private.readable_orgs()));
alter policy "keys see what was reported" on public.agent_executions
    using (slug is not null and org_id in (select private.readable_orgs()));

-- The API claims the address of the program beside the key.
create or replace function private.touch_ingest_key() returns void
language plpgsql security definer set search_path = ''
as $$
begin
    update public.ingest_keys
    set last_used_at = clock_timestamp(),
        last_used_address = coalesce((auth.jwt() ->> 'ingest_address')::inet, last_used_address)
    where id = private.claimed_ingest_key() and revoked_at is null;
    delete from public.idempotency_keys
    where (ingest_key, idempotency_key) in (
        select ingest_key, idempotency_key from public.idempotency_keys
        where created_at < clock_timestamp() - interval '1 day'
        order by created_at limit 5000 for update skip locked
    );
    perform private.finish_left_runs();
end
$$;

-- Replaces a key: the new one has its name and its scopes, and the earlier one works for some time. Returns the id of
-- the new key; null if the user is no admin there, or the key works no longer.
create function public.replace_key(replaced uuid, public_id text, secret_hash bytea, keep interval, lifetime interval)
returns uuid
language plpgsql security invoker set search_path = ''
as $$
declare
    earlier record;
    made uuid;
begin
    select key.id, key.org_id, key.name, key.scopes into earlier from public.ingest_keys as key
    where key.id = replace_key.replaced and key.revoked_at is null
        and (key.expires_at is null or key.expires_at > now())
    for update of key;
    if not found then
        return null;
    end if;
    insert into public.ingest_keys (org_id, name, public_id, secret_hash, scopes, replaces, expires_at)
    values (earlier.org_id, earlier.name, replace_key.public_id, replace_key.secret_hash, earlier.scopes, earlier.id,
        now() + replace_key.lifetime)
    returning id into made;
    update public.ingest_keys as key set expires_at = least(key.expires_at, now() + greatest(replace_key.keep, '0'))
    where key.id = earlier.id;
    return made;
end
$$;

create or replace function private.audit_keys() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        perform private.note_audit(new.org_id, case when new.replaces is null then 'key.created' else 'key.replaced' end,
            new.name, null, jsonb_strip_nulls(jsonb_build_object('public_id', new.public_id, 'scopes', new.scopes,
                'expires_at', new.expires_at, 'replaces', (
                    select earlier.public_id from public.ingest_keys as earlier where earlier.id = new.replaces))));
    elsif new.revoked_at is distinct from old.revoked_at then
        perform private.note_audit(new.org_id, 'key.revoked', new.name, jsonb_build_object('public_id', new.public_id));
    elsif new.expires_at is distinct from old.expires_at then
        perform private.note_audit(new.org_id, 'key.expires', new.name,
            jsonb_build_object('public_id', old.public_id, 'expires_at', old.expires_at),
            jsonb_build_object('public_id', new.public_id, 'expires_at', new.expires_at));
    end if;
    return null;
end
$$;

revoke execute on all functions in schema private from public;
grant execute on function private.is_valid(public.ingest_keys), private.readable_orgs() to authenticated, service_role;
revoke execute on function public.replace_key(uuid, text, bytea, interval, interval) from public, anon;
grant execute on function public.replace_key(uuid, text, bytea, interval, interval) to authenticated, service_role;
