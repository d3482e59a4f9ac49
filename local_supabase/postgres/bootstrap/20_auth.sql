-- The schema `auth`, with the columns and functions that migrations and policies use on a hosted project. Idempotent.

create schema if not exists auth authorization supabase_auth_admin;
grant usage on schema auth to anon, authenticated, service_role, postgres;

create table if not exists auth.users (
    instance_id uuid,
    id uuid primary key,
    aud varchar(255),
    role varchar(255),
    email varchar(255),
    encrypted_password varchar(255),
    email_confirmed_at timestamptz,
    invited_at timestamptz,
    confirmation_token varchar(255) not null default '',
    confirmation_sent_at timestamptz,
    recovery_token varchar(255) not null default '',
    recovery_sent_at timestamptz,
    email_change varchar(255) not null default '',
    email_change_sent_at timestamptz,
    last_sign_in_at timestamptz,
    raw_app_meta_data jsonb,
    raw_user_meta_data jsonb,
    is_super_admin boolean,
    created_at timestamptz,
    updated_at timestamptz,
    phone text unique,
    phone_confirmed_at timestamptz,
    confirmed_at timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
    banned_until timestamptz,
    is_sso_user boolean not null default false,
    deleted_at timestamptz,
    is_anonymous boolean not null default false
);
-- Added later than the first version of this file.
alter table auth.users
    add column if not exists email_change_token_new varchar(255) not null default '',
    add column if not exists email_change_token_current varchar(255) not null default '',
    add column if not exists email_change_confirm_status smallint not null default 0,
    add column if not exists phone_change text not null default '',
    add column if not exists phone_change_token varchar(255) not null default '',
    add column if not exists phone_change_sent_at timestamptz,
    add column if not exists reauthentication_token varchar(255) not null default '',
    add column if not exists reauthentication_sent_at timestamptz;
create unique index if not exists users_email_partial_key on auth.users (email) where is_sso_user = false;
create index if not exists users_instance_id_email_idx on auth.users (instance_id, lower(email::text));

create unique index if not exists confirmation_token_idx on auth.users (confirmation_token)
    where confirmation_token <> '';
create unique index if not exists recovery_token_idx on auth.users (recovery_token) where recovery_token <> '';

create table if not exists auth.identities (
    provider_id text not null,
    user_id uuid not null references auth.users (id) on delete cascade,
    identity_data jsonb not null,
    provider text not null,
    last_sign_in_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    email text generated always as (lower(identity_data ->> 'email')) stored,
    id uuid not null default gen_random_uuid() primary key,
    unique (provider_id, provider)
);
create index if not exists identities_user_id_idx on auth.identities (user_id);
create index if not exists identities_email_idx on auth.identities (email text_pattern_ops);
-- Users of earlier versions, which kept no identities.
insert into auth.identities
    (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
select id, id, jsonb_build_object(
    'sub', id, 'email', email, 'email_verified', email_confirmed_at is not null, 'phone_verified', false
), 'email', last_sign_in_at, created_at, updated_at
from auth.users u
where email is not null and deleted_at is null
    and not exists (select from auth.identities i where i.user_id = u.id)
on conflict do nothing;

create table if not exists auth.sessions (
    id uuid primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    created_at timestamptz,
    updated_at timestamptz,
    factor_id uuid,
    aal text default 'aal1',
    not_after timestamptz,
    refreshed_at timestamp,
    user_agent text,
    ip inet,
    tag text
);
create index if not exists sessions_user_id_idx on auth.sessions (user_id);

-- `token` and `parent` hold digests, so that read access to the database does not allow refreshing a session.
create table if not exists auth.refresh_tokens (
    instance_id uuid,
    id bigserial primary key,
    token varchar(255) unique,
    user_id varchar(255),
    revoked boolean,
    created_at timestamptz,
    updated_at timestamptz,
    parent varchar(255),
    session_id uuid references auth.sessions (id) on delete cascade
);
create index if not exists refresh_tokens_session_id_revoked_idx on auth.refresh_tokens (session_id, revoked);

-- How each session was opened, for the claim `amr`.
create table if not exists auth.mfa_amr_claims (
    session_id uuid not null references auth.sessions (id) on delete cascade,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    authentication_method text not null,
    id uuid not null primary key,
    unique (session_id, authentication_method)
);

-- Challenges of the PKCE flow (RFC 7636), until their code is exchanged for a session.
create table if not exists auth.flow_state (
    id uuid primary key,
    user_id uuid references auth.users (id) on delete cascade,
    auth_code text,
    code_challenge_method text,
    code_challenge text,
    provider_type text not null,
    authentication_method text not null,
    auth_code_issued_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz
);
-- Added later: where a sign-in by an external provider leads.
alter table auth.flow_state
    add column if not exists referrer text,
    add column if not exists oauth_client_state_id uuid,
    add column if not exists email_optional boolean not null default false;
create index if not exists idx_auth_code on auth.flow_state (auth_code);
create index if not exists flow_state_created_at_idx on auth.flow_state (created_at desc);

-- PKCE verifiers towards an external provider, until its callback.
create table if not exists auth.oauth_client_states (
    id uuid primary key,
    provider_type text not null,
    code_verifier text,
    created_at timestamptz not null
);
create index if not exists idx_oauth_client_states_created_at on auth.oauth_client_states (created_at);

create or replace function auth.jwt() returns jsonb
language sql stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
    )::jsonb
$$;

create or replace function auth.uid() returns uuid
language sql stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
    )::uuid
$$;

create or replace function auth.role() returns text
language sql stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
    )
$$;

create or replace function auth.email() returns text
language sql stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.email', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
    )
$$;

do $$
declare
    item record;
begin
    for item in select tablename from pg_catalog.pg_tables where schemaname = 'auth' loop
        execute format('alter table auth.%I owner to supabase_auth_admin', item.tablename);
        execute format('grant all on auth.%I to postgres', item.tablename);
    end loop;
    for item in
        select p.oid::regprocedure as name from pg_catalog.pg_proc p
        where p.pronamespace = 'auth'::regnamespace and p.proname in ('jwt', 'uid', 'role', 'email')
    loop
        execute format('alter function %s owner to supabase_auth_admin', item.name);
        execute format('grant execute on function %s to public', item.name);
    end loop;
end
$$;
grant all on all sequences in schema auth to postgres;
alter table auth.users enable row level security;
alter table auth.sessions enable row level security;
alter table auth.refresh_tokens enable row level security;
alter table auth.identities enable row level security;
alter table auth.mfa_amr_claims enable row level security;
alter table auth.flow_state enable row level security;
alter table auth.oauth_client_states enable row level security;
