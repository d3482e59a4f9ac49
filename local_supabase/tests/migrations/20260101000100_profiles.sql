-- A profile for every new user, by a trigger on auth.users.

create table public.profiles (user_id uuid primary key references auth.users (id) on delete cascade, email text);
alter table public.profiles enable row level security;

create function public.add_profile() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.profiles (user_id, email) values (new.id, new.email);
    return new;
end
$$;
create trigger add_profile after insert on auth.users for each row execute function public.add_profile();

create function public.tell_note() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform realtime.broadcast_changes('notes', tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
    return null;
end
$$;
create trigger tell_note after insert or update or delete on public.open_notes
    for each row execute function public.tell_note();
